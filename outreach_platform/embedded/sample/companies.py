"""Companies of the sample: clean rows first, then an exact share of each defect in every state.

What a rule means is not repeated here; the defects are the ways real rows break the rules.
"""

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from outreach_platform.embedded.sample import ids, words
from outreach_platform.embedded.sample.rows import Row, pick

# All times of the master data count back from here, so that a seed gives the same bytes any day.
EPOCH = datetime(2025, 6, 30, 12, 0, tzinfo=UTC)

_NOWHERE_AT_SCALE_1 = 15
_ELSEWHERE_AT_SCALE_1 = 60
# One after the other within a state, so that the first three already break three different rules.
_DEFECTS = (
    *("website_null", "website_no_dot", "name_placeholder", "website_placeholder", "website_blank"),
    *("website_no_dot", "name_blank", "website_null", "website_placeholder", "both"),
    *("website_spaces", "website_no_dot", "name_null", "website_placeholder", "website_null"),
    *("website_blank", "name_spaces", "website_placeholder", "name_placeholder", "website_null"),
)
_NO_DOT = (
    *("http://localhost", "www", "coming soon", "https://millrace", "see our page"),
    *("under construction; back in May", "millrace,example", "(under construction)"),
)


@dataclass
class Company:
    """A company while it is being made.

    Attributes:
        row: the 29 columns of `marketing.company_master`.
        host: the web host its addresses use, known even where website_url is broken.
        state: its state of the six, None elsewhere.
        defect: which way it is bad, None for a good one.
    """

    row: Row
    host: str
    state: words.StatePlan | None
    defect: str | None = None


def make_companies(seed: int, scale: float) -> list[Company]:
    """All companies: the six states in order, then other states, then none.

    Args:
        seed: same seed, same rows.
        scale: 1.0 is 3,000 companies in the six states.
    """
    rng = random.Random(f"{seed}/companies")
    numbers = itertools.count(1)
    spellings = itertools.cycle(words.placeholder_spellings())
    companies: list[Company] = []
    for place, state in enumerate(words.STATES):
        count = max(1, round(state.companies * scale))
        group = [_clean(rng, next(numbers), state) for _ in range(count)]
        _spell_states(rng, group, state)
        _add_oddities(rng, group, place)
        _add_warnings(rng, group)
        _duplicate(rng, group)
        _break(rng, group, state, spellings)
        companies += group
    return companies + _outside(rng, numbers, scale)


def phone(rng: random.Random, area_code: str) -> str:
    """A fictional number in one of the forms people type."""
    last = f"555-01{rng.randrange(100):02d}"
    form = rng.choice(("({}) {}", "{}-{}", "+1-{}-{}", "1.{}.{}", "{}{} ext. 7"))
    return form.format(area_code, last)


def website_at(rng: random.Random, host: str) -> str:
    """A usable website of a host, in one of the forms people type."""
    form = rng.choices(
        (
            "https://www.{}",
            "http://{}/",
            "{}",
            "www.{}",
            "https://{}/about?a=1;b=2",
            " https://{} ",
        ),
        (40, 15, 20, 15, 5, 5),
    )[0]
    return form.format(host)


def _clean(rng: random.Random, number: int, state: words.StatePlan | None) -> Company:
    city = rng.choice(state.cities) if state else "Faraway"
    first, second = rng.choice(words.NAME_FIRST), rng.choice(words.NAME_SECOND)
    name = f"{first} {second} {rng.choice(words.NAME_END).format(city=city)}".strip()
    host = f"{first}-{second}-{number}.{rng.choice(words.HOST_ENDINGS)}".lower()
    created = EPOCH - timedelta(days=rng.randrange(30, 900), seconds=rng.randrange(86_400))
    updated = min(EPOCH, created + timedelta(days=rng.randrange(400)))
    slug = f"{first}-{second}-{number}".lower()
    row: Row = {
        "company_unique_id": ids.mixed_id(rng, ids.COMPANY, number),
        "company_name": name,
        "website_url": website_at(rng, host),
        "industry": rng.choice(words.INDUSTRIES),
        "employee_count": int(rng.lognormvariate(3.2, 1.1)) + 1,
        "company_phone": phone(rng, state.area_code if state else "202"),
        "address_street": f"{rng.randrange(1, 2000)} {rng.choice(words.STREETS)}",
        "address_city": city,
        "address_state": None,
        "address_zip": str(state.zip_start + rng.randrange(60)) if state else None,
        "address_country": rng.choice(("US", "USA", "United States", None)),
        "linkedin_url": f"https://www.linkedin.com/company/invented-{slug}",
        "facebook_url": f"https://facebook.com/invented-{slug}" if rng.random() < 0.4 else None,
        "twitter_url": f"https://social.example/{slug}" if rng.random() < 0.2 else None,
        "sic_codes": rng.choice((None, "2050", "1711;1731", "7372")),
        "founded_year": rng.choice((None, rng.randrange(1890, 2023))),
        "keywords": rng.choice((None, [], rng.sample(words.KEYWORDS, rng.randrange(1, 5)))),
        "description": " ".join(rng.sample(words.SENTENCES, rng.randrange(1, 4))),
        "source_system": rng.choice(("intake_csv", "intake_csv", "partner_feed", "legacy;import")),
        "source_record_id": rng.choice((None, f"rec-{number}")),
        "promoted_from_intake_at": created.isoformat(),
        "promotion_audit_log_id": rng.choice((None, number)),
        "created_at": created.isoformat(),
        "updated_at": updated.isoformat(),
        "state_abbrev": None,
        "import_batch_id": f"batch-{created:%Y-%m}",
        "validated_at": rng.choice((None, updated.isoformat())),
        "validated_by": rng.choice((None, "intake-validator")),
        "data_quality_score": rng.choice((None, f"{rng.uniform(20, 100):.2f}", "100.00")),
    }
    return Company(row, host, state)


def _spell_states(rng: random.Random, group: list[Company], state: words.StatePlan) -> None:
    """Give each company one spelling of its state, each spelling at least once in a large group."""
    spellings = words.state_spellings(state)
    weights = [40, 12, 8, 6, 6] + [3] * (len(spellings) - 5)
    drawn = spellings + rng.choices(spellings, weights, k=len(group))
    for company, spelling in zip(rng.sample(group, len(group)), drawn, strict=False):
        company.row["address_state"], company.row["state_abbrev"] = spelling


def _add_oddities(rng: random.Random, group: list[Company], place: int) -> None:
    """Odd but valid values: names, long text, null and odd arrays, one malformed id a state."""
    odd = pick(rng, group, 0.03, least=3)
    for turn, company in enumerate(odd):
        company.row["company_name"] = words.ODD_NAMES[(place * 3 + turn) % len(words.ODD_NAMES)]
    for company in pick(rng, group, 0.01):
        company.row["description"] = " ".join(rng.choices(words.SENTENCES, k=120))
    for company in pick(rng, group, 0.02):
        company.row["keywords"] = [None, "", "null", *words.KEYWORDS]
    if len(group) > 50:
        company = rng.choice(group)
        number = int(company.row["company_unique_id"].split(".")[4])
        company.row["company_unique_id"] = ids.malformed_company_id(place, number)


def _add_warnings(rng: random.Random, group: list[Company]) -> None:
    """What only warns; each at least once in every state."""
    for company in pick(rng, group, 0.06):
        company.row["industry"] = rng.choice((None, "", "N/A", "  ", "unknown"))
    for company in pick(rng, group, 0.12, least=2):
        company.row["employee_count"] = rng.choice((None, 0))
    for company in pick(rng, group, 0.08):
        company.row["company_phone"] = rng.choice((None, "", "-", "n/a"))
    for company in pick(rng, group, 0.18):
        company.row["linkedin_url"] = rng.choice((None, "", "TBD"))
    social = pick(rng, group, 0.04, least=2)
    for company in social:
        page = f"invented-{company.host.split('.')[0]}"
        company.row["website_url"] = rng.choice(
            (
                f"https://www.facebook.com/{page}",
                f"instagram.com/{page}",
                f"HTTPS://LinkedIn.com/company/{page}",
            )
        )
    rest = [company for company in group if company not in social]
    for company in pick(rng, rest, 0.012):
        company.row["website_url"] = f"info@{company.host}"


def _duplicate(rng: random.Random, group: list[Company]) -> None:
    """The same name and website under a second id, for about one company in eighty."""
    chosen = pick(rng, group, 0.025, least=2)
    for original, copy in zip(chosen[::2], chosen[1::2], strict=False):
        for column in ("company_name", "website_url", "address_street", "address_city"):
            copy.row[column] = original.row[column]
        copy.host = original.host


def _break(
    rng: random.Random, group: list[Company], state: words.StatePlan, spellings: Iterator[str]
) -> None:
    """Make exactly the planned number of companies bad, rounded down."""
    # The few e-mail addresses in place of a website stay, or a small state might lose them all.
    others = [company for company in group if "@" not in company.row["website_url"]]
    bad = rng.sample(others, int(len(group) * state.bad_ratio))
    for company, defect in zip(bad, itertools.cycle(_DEFECTS), strict=False):
        company.defect = defect
        what = "website" if defect == "both" else defect.split("_")[0]
        column = "website_url" if what == "website" else "company_name"
        company.row[column] = _broken_value(rng, defect, spellings)
        if defect == "both":
            company.row["company_name"] = rng.choice((None, "", next(spellings)))


def _broken_value(rng: random.Random, defect: str, spellings: Iterator[str]) -> str | None:
    kind = defect.partition("_")[2]
    if kind == "null":
        return None
    if kind == "blank":
        return ""
    if kind == "spaces":
        return rng.choice((" ", "    ", "\t"))
    if kind == "no_dot":
        return rng.choice(_NO_DOT)
    return next(spellings)


def _outside(rng: random.Random, numbers: Iterator[int], scale: float) -> list[Company]:
    """Companies no export may contain: of other states, and of none at all."""
    companies = []
    for turn in range(max(1, round(_ELSEWHERE_AT_SCALE_1 * scale))):
        company = _clean(rng, next(numbers), None)
        value = words.OTHER_STATES[turn % len(words.OTHER_STATES)]
        company.row["address_state"] = value
        company.row["state_abbrev"] = value if len(value) == 2 else None
        companies.append(company)
    for _ in range(max(1, round(_NOWHERE_AT_SCALE_1 * scale))):
        company = _clean(rng, next(numbers), None)
        company.row["address_state"] = rng.choice((None, "", "  ", "N/A"))
        companies.append(company)
    return companies
