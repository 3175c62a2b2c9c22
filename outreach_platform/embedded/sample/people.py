"""People and slots of the sample: three slots a company, most of them filled, some shared."""

import itertools
import random
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta

from outreach_platform.embedded.sample import ids, words
from outreach_platform.embedded.sample.companies import EPOCH, Company
from outreach_platform.embedded.sample.rows import Row, pick

_FILLED_SHARE = 0.88
_EXTRA_SHARE = 0.27
_SEVERAL_ROLES_SHARE = 0.05
_ORPHANS_AT_SCALE_1 = 10


def make_people(companies: list[Company], seed: int, scale: float) -> tuple[list[Row], list[Row]]:
    """The rows of `marketing.people_master` (without full_name) and `marketing.company_slot`.

    Args:
        companies: what the people belong to, bad companies too.
        seed: same seed and companies, same rows.
        scale: only for the few people whose company is in no table.
    """
    rng = random.Random(f"{seed}/people")
    numbers, slot_numbers = itertools.count(1), itertools.count(1)
    spellings = itertools.cycle(words.placeholder_spellings())
    by_state: dict[str, list[Row]] = defaultdict(list)
    slots: list[Row] = []
    for company in companies:
        staff, own_slots = _staff(rng, company, numbers, slot_numbers)
        by_state[company.state.code if company.state else ""] += staff
        slots += own_slots
    for group in by_state.values():
        _share_emails(rng, group)
        _add_oddities(rng, group)
        _break_emails(rng, group, spellings)
        _break_titles(rng, group, spellings)
    orphans = _orphans(rng, companies[0], numbers, max(1, round(_ORPHANS_AT_SCALE_1 * scale)))
    return [*itertools.chain.from_iterable(by_state.values()), *orphans], slots


def email_of(first: str, last: str, host: str) -> str:
    """`first.last@host` in ASCII; names of other alphabets become `person`."""

    def fold(name: str) -> str:
        plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
        return "".join(letter for letter in plain.lower() if letter.isalpha())

    local = ".".join(part for part in (fold(first), fold(last)) if part) or "person"
    return f"{local}@{host}"


def _staff(
    rng: random.Random, company: Company, numbers: Iterator[int], slot_numbers: Iterator[int]
) -> tuple[list[Row], list[Row]]:
    """One company's three slots and its people; who comes second to a slot shares its id."""
    people, slots = [], []
    for role in words.TITLES:
        slot = _slot(rng, company, role, next(slot_numbers))
        slots.append(slot)
        if rng.random() >= _FILLED_SHARE:
            continue
        holder = _person(rng, company, role, slot, next(numbers))
        if people and rng.random() < _SEVERAL_ROLES_SHARE:
            for column in ("first_name", "last_name", "email", "linkedin_url"):
                holder[column] = people[0][column]
        slot |= {
            "person_unique_id": holder["unique_id"],
            "is_filled": True,
            "filled_at": holder["created_at"],
            "filled_by": rng.choice(("intake", "slot-filler")),
            "confidence_score": f"{rng.uniform(0.5, 1):.2f}",
        }
        people.append(holder)
    if people and rng.random() < _EXTRA_SHARE:
        role, slot = rng.choice(
            [pair for pair in zip(words.TITLES, slots, strict=True) if pair[1]["is_filled"]]
        )
        second = _person(rng, company, role, slot, next(numbers))
        second["title"] = f"Deputy {second['title']}"
        people.append(second)
    return people, slots


def _slot(rng: random.Random, company: Company, role: str, number: int) -> Row:
    created = company.row["created_at"]
    return {
        "company_slot_unique_id": ids.mixed_id(rng, ids.SLOT, number),
        "company_unique_id": company.row["company_unique_id"],
        "person_unique_id": None,
        "slot_type": role,
        "is_filled": False,
        "confidence_score": None,
        "created_at": created,
        "filled_at": None,
        "last_refreshed_at": rng.choice((None, EPOCH.isoformat())),
        "filled_by": None,
        "source_system": "intake_csv",
    }


def _person(rng: random.Random, company: Company, role: str, slot: Row, number: int) -> Row:
    first, last = rng.choice(words.FIRST_NAMES), rng.choice(words.LAST_NAMES)
    created = datetime.fromisoformat(company.row["created_at"])
    updated = min(EPOCH, created + timedelta(days=rng.randrange(300)))
    area_code = company.state.area_code if company.state else "202"
    verified = rng.choice((None, True, True, False))
    return {
        "unique_id": ids.mixed_id(rng, ids.PERSON, number),
        "company_unique_id": company.row["company_unique_id"],
        "company_slot_unique_id": slot["company_slot_unique_id"],
        "first_name": first,
        "last_name": last,
        "title": rng.choice(words.TITLES[role]),
        "seniority": rng.choice(words.SENIORITIES),
        "department": rng.choice((words.DEPARTMENTS[role], None)),
        "email": email_of(first, last, company.host),
        "work_phone_e164": f"+1{area_code}55501{rng.randrange(100):02d}",
        "personal_phone_e164": rng.choice(
            (None, None, f"+1{area_code}55501{rng.randrange(100):02d}")
        ),
        "linkedin_url": f"https://www.linkedin.com/in/invented-{first}-{last}-{number}".lower(),
        "twitter_url": None,
        "facebook_url": None,
        "bio": rng.choice(
            (None, f"{first} joined in {created.year}. {rng.choice(words.SENTENCES)}")
        ),
        "skills": rng.choice((None, [], rng.sample(words.SKILLS, rng.randrange(1, 5)))),
        "education": rng.choice((None, "BA, Valley College", "Apprenticeship; evening school")),
        "certifications": rng.choice((None, None, [rng.choice(words.CERTIFICATIONS)])),
        "source_system": "intake_csv",
        "source_record_id": f"person-{number}",
        "promoted_from_intake_at": created.isoformat(),
        "promotion_audit_log_id": rng.choice((None, number)),
        "created_at": created.isoformat(),
        "updated_at": updated.isoformat(),
        "email_verified": verified,
        "message_key_scheduled": rng.choice((None, None, f"msg-{number}")),
        "email_verification_source": "mailcheck" if verified is not None else None,
        "email_verified_at": updated.isoformat() if verified else None,
    }


def _share_emails(rng: random.Random, group: list[Row]) -> None:
    """Two people, one e-mail address, as in family firms: about one person in a hundred."""
    chosen = pick(rng, group, 0.02, least=2)
    for one, other in zip(chosen[::2], chosen[1::2], strict=False):
        other["email"] = one["email"]


def _add_oddities(rng: random.Random, group: list[Row]) -> None:
    """Odd but valid values, and what only warns."""
    for person in pick(rng, group, 0.03, least=2):
        person["first_name"], person["last_name"] = rng.choice(words.ODD_PEOPLE)
        host = person["email"].partition("@")[2]
        person["email"] = email_of(person["first_name"], person["last_name"], host)
    for person in pick(rng, group, 0.03, least=2):
        host = person["email"].partition("@")[2]
        person["email"] = f"{rng.choice(words.ROLE_ACCOUNTS)}@{host}"
    for person in pick(rng, group, 0.02):
        person["email"] = f"  {person['email'].title()} "
    for person in pick(rng, group, 0.005):
        # A link and yet a match of the documented pattern: valid, with a warning.
        person["email"] = f"https://forms.example.org/to/{person['email'].strip()}"
    for person in pick(rng, group, 0.1):
        person["work_phone_e164"] = rng.choice((None, "", "n/a"))
    for person in pick(rng, group, 0.15):
        person["linkedin_url"] = rng.choice((None, ""))
    for person in pick(rng, group, 0.005):
        person["bio"] = " ".join(rng.choices(words.SENTENCES, k=100))


def _break_emails(rng: random.Random, group: list[Row], spellings: Iterator[str]) -> None:
    """Every way an address fails, in turn, for 6 % of the people."""
    for turn, person in enumerate(pick(rng, group, 0.06, least=8)):
        local, _, host = person["email"].strip().rpartition("@")
        person["email"] = (
            None,
            next(spellings),
            f"{local}.{host}",
            f"{local}@localhost",
            "",
            f"https://{host}/contact",
            "   ",
            f"@{host}",
            f"www.{host}",
        )[turn % 9]


def _break_titles(rng: random.Random, group: list[Row], spellings: Iterator[str]) -> None:
    """Null, blank and placeholder titles for 5 % of the people."""
    for turn, person in enumerate(pick(rng, group, 0.05, least=4)):
        person["title"] = (None, next(spellings), "", " ")[turn % 4]


def _orphans(rng: random.Random, pattern: Company, numbers: Iterator[int], count: int) -> list[Row]:
    """People whose company stands in no table; no state's pull may find them."""
    people = []
    for number in itertools.islice(numbers, count):
        slot = {"company_slot_unique_id": ids.regular_id(ids.SLOT, 90_000 + number % 9_000)}
        person = _person(rng, pattern, "CEO", slot, number)
        person["company_unique_id"] = ids.regular_id(ids.COMPANY, 900_000 + number)
        people.append(person)
    return people
