"""The records that failed validation and wait for enrichment: 119 companies and 5 people.

Most can be mended by finding a website or an address (85 of the companies); the others lack a
name or a trace of who they were. 114 of the companies are in the master too, with the same id.
"""

import random
from datetime import timedelta

from outreach_platform.embedded.sample import ids, words
from outreach_platform.embedded.sample.companies import EPOCH, Company
from outreach_platform.embedded.sample.rows import Json, Row, pick

INVALID_COMPANIES = 119
INVALID_PEOPLE = 5
IN_MASTER = 114
MENDABLE = 85

_NUMBERS_FROM = 95_000
_NAMELESS = (None, "", "N/A", "unknown", "X", "TBD", "Test")
_MESSAGES = {
    "EMPTY_NAME": {"company_name": "empty or placeholder"},
    "EMPTY_WEBSITE": {"website": "empty or blank"},
    "INVALID_WEBSITE": {"website": "has no dot"},
}


def make_invalid_companies(companies: list[Company], seed: int) -> list[Row]:
    """The rows of `marketing.company_invalid` without id; the mendable ones come first.

    Args:
        companies: the master's; those with a broken website are taken before all others.
        seed: same seed and companies, same rows.
    """
    rng = random.Random(f"{seed}/company_invalid")
    inside = [company for company in companies if company.state]
    shuffled = rng.sample(inside, len(inside))
    # Broken websites first, then other bad companies, then good ones: stable sort of a shuffle.
    shuffled.sort(key=lambda company: _readiness(company.defect))
    chosen = shuffled[:IN_MASTER]
    rows = [_from_master(rng, company, turn) for turn, company in enumerate(chosen)]
    for turn in range(len(chosen), INVALID_COMPANIES):
        row = _from_master(rng, rng.choice(inside), turn)
        row["company_unique_id"] = ids.regular_id(ids.COMPANY, _NUMBERS_FROM + turn)
        rows.append(row)
    return rows


def make_invalid_people(companies: list[Company], seed: int) -> list[Row]:
    """The five rows of `marketing.people_invalid`, each failing for another reason."""
    rng = random.Random(f"{seed}/people_invalid")
    homes = pick(rng, [one for one in companies if one.state and not one.defect], 0.0, least=5)
    homes = (homes * INVALID_PEOPLE or companies[:1] * INVALID_PEOPLE)[:INVALID_PEOPLE]
    cases = (
        ("EMPTY_EMAIL", {"email": "empty or blank"}, {"email": None, "title": "CEO"}),
        ("INVALID_EMAIL", {"email": "no address"}, {"email": "not-an-address", "title": "CFO"}),
        ("EMPTY_TITLE", {"title": "empty or placeholder"}, {"title": "  "}),
        (
            "UNKNOWN_COMPANY",
            {"company_unique_id": "no valid company"},
            {"company_unique_id": ids.regular_id(ids.COMPANY, 999_901), "title": "HR Director"},
        ),
        # Only a full name, an old list of errors, and a title that names no slot.
        (
            "INVALID_EMAIL",
            ["email: no address"],
            {"first_name": None, "last_name": None, "email": "www", "title": "Archivist"},
        ),
    )
    return [
        _person(rng, homes[turn], turn, reason, errors) | changes
        for turn, (reason, errors, changes) in enumerate(cases)
    ]


def _readiness(defect: str | None) -> int:
    if defect is None:
        return 2
    return 0 if defect.startswith("website") else 1


def _from_master(rng: random.Random, company: Company, turn: int) -> Row:
    """One invalid row; the first MENDABLE lack only the website, the others the name too."""
    source, state = company.row, company.state
    mendable = turn < MENDABLE
    website = rng.choice((None, None, "", "  ", "n/a", "website coming soon", "http://localhost"))
    reason = "INVALID_WEBSITE" if website and len(website) > 5 else "EMPTY_WEBSITE"
    errors = dict(_MESSAGES[reason])
    name = source["company_name"]
    if mendable and (company.defect or "").startswith(("name", "both")):
        name = f"{rng.choice(words.NAME_FIRST)} {rng.choice(words.NAME_SECOND)}"
    if not mendable:
        name, reason = rng.choice(_NAMELESS), "EMPTY_NAME"
        errors |= _MESSAGES["EMPTY_NAME"]
    failed = (EPOCH + timedelta(hours=1 + turn)).replace(tzinfo=None).isoformat()
    return {
        "company_unique_id": source["company_unique_id"],
        "company_name": name,
        "domain": company.host if mendable and rng.random() < 0.6 else None,
        "industry": source["industry"],
        "employee_count": source["employee_count"],
        "website": website,
        "phone": source["company_phone"],
        "address": source["address_street"],
        "city": source["address_city"],
        "state": rng.choice((state.code, state.name)) if state else None,
        "zip": source["address_zip"],
        "validation_status": "FAILED",
        "reason_code": reason,
        # Rows from before the object form hold a list of sentences.
        "validation_errors": Json(
            [f"{field}: {text}" for field, text in errors.items()] if turn % 10 == 0 else errors
        ),
        "validation_warnings": rng.choice((None, Json({}), Json({"phone": "missing"}))),
        "failed_at": failed,
        "reviewed": rng.random() < 0.2,
        "batch_id": f"{EPOCH:%Y%m%d}-{turn % 4}",
        "source_table": "marketing.company_master" if turn < IN_MASTER else "intake.company_raw",
        "created_at": failed,
        "updated_at": failed,
    }


def _person(
    rng: random.Random, company: Company, turn: int, reason: str, errors: dict[str, str] | list[str]
) -> Row:
    first, last = rng.choice(words.FIRST_NAMES), rng.choice(words.LAST_NAMES)
    area_code = company.state.area_code if company.state else "202"
    failed = (EPOCH + timedelta(hours=2, minutes=turn)).replace(tzinfo=None).isoformat()
    return {
        "unique_id": ids.regular_id(ids.PERSON, _NUMBERS_FROM + turn),
        "full_name": f"{first} {last}",
        "first_name": first,
        "last_name": last,
        "email": f"{first}.{last}@{company.host}".lower(),
        "phone": f"({area_code}) 555-01{rng.randrange(100):02d}",
        "title": "Owner",
        "company_name": company.row["company_name"],
        "company_unique_id": company.row["company_unique_id"],
        "linkedin_url": None,
        "city": company.row["address_city"],
        "state": company.state.code if company.state else None,
        "validation_status": "FAILED",
        "reason_code": reason,
        "validation_errors": Json(errors),
        "validation_warnings": None,
        "failed_at": failed,
        "reviewed": False,
        "batch_id": f"{EPOCH:%Y%m%d}-p",
        "source_table": "marketing.people_master",
        "created_at": failed,
        "updated_at": failed,
    }
