"""The sample's rows, and the rules about them written out once more without the product's code."""

import re
import uuid
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
from psycopg2.extras import RealDictCursor

from outreach_platform.embedded.sample import load_sample
from outreach_platform.embedded.server import EmbeddedServer
from outreach_platform_tests.support.postgres import drop_database, fresh_database

NAMES = {
    "WV": "west virginia",
    "PA": "pennsylvania",
    "VA": "virginia",
    "MD": "maryland",
    "OH": "ohio",
    "DE": "delaware",
}
PLACEHOLDERS = {
    *("n/a", "na", "n.a.", "none", "null", "nil", "unknown", "test", "-", "--"),
    *("not available", "(blank)", "tbd"),
}
BARTON = re.compile(r"04\.04\.0[125]\.\d{2}\.\d{5,}\.\d{3}")
RESERVED = re.compile(r"(?:^|\.)(?:example|test|example\.(?:com|org|net))$")
SOCIAL = re.compile(r"(?:www\.)?(?:facebook|instagram|linkedin)\.com$")
Rows = list[dict[str, Any]]


@contextmanager
def sample_tables(pg_server: EmbeddedServer) -> Iterator[dict[str, Rows]]:
    """Load the whole sample and read its five tables and their columns (key `columns`)."""
    names = [f"content_{uuid.uuid4().hex[:10]}" for _ in range(3)]
    urls = [fresh_database(pg_server, name) for name in names]
    load_sample(urls[0], urls[1], urls[2])
    connection = psycopg2.connect(urls[0].conninfo)
    found = {}
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        for table in (
            *("company_master", "people_master", "company_slot"),
            *("company_invalid", "people_invalid"),
        ):
            cursor.execute(f"SELECT * FROM marketing.{table}")
            found[table] = [dict(row) for row in cursor.fetchall()]
        cursor.execute(
            "SELECT table_name, column_name, udt_name, is_nullable FROM information_schema.columns "
            "WHERE table_schema = 'marketing' ORDER BY table_name, ordinal_position"
        )
        found["columns"] = [dict(row) for row in cursor.fetchall()]
    connection.close()
    yield found
    for name in names:
        drop_database(pg_server, name)


def missing(value: str | None) -> bool:
    return value is None or not value.strip() or value.strip().lower() in PLACEHOLDERS


def state_of(row: dict[str, Any]) -> str | None:
    for value in (row["address_state"], row["state_abbrev"]):
        text = (value or "").strip()
        if text.upper() in NAMES:
            return text.upper()
        for code, name in NAMES.items():
            if text.lower() == name:
                return code
    return None


def company_codes(row: dict[str, Any]) -> set[str]:
    site = row["website_url"]
    codes = {
        "company_name_missing": missing(row["company_name"]),
        "website_url_missing": missing(site),
        "website_url_invalid": not missing(site) and "." not in site,
    }
    return {code for code, broken in codes.items() if broken}


def company_warnings(row: dict[str, Any]) -> set[str]:
    site = (row["website_url"] or "").lower()
    codes = {
        "industry_missing": missing(row["industry"]),
        "employee_count_missing": not row["employee_count"],
        "phone_missing": missing(row["company_phone"]),
        "linkedin_missing": missing(row["linkedin_url"]),
        "website_is_social": any(n in site for n in ("facebook.", "instagram.", "linkedin.")),
        "website_is_email": "@" in site,
    }
    return {code for code, seen in codes.items() if seen}


def person_codes(row: dict[str, Any], good: set[str]) -> set[str]:
    email = (row["email"] or "").strip()
    codes = {
        "email_invalid": missing(email) or not re.search(r"^[^@]+@[^@]+\.[^@]+", email),
        "title_missing": missing(row["title"]),
        "company_not_valid": row["company_unique_id"] not in good,
    }
    return {code for code, broken in codes.items() if broken}


def by_state(companies: Rows) -> dict[str, Rows]:
    groups = defaultdict(list)
    for row in companies:
        groups[state_of(row) or ""].append(row)
    return groups


def people_by_state(tables: dict[str, Rows]) -> dict[str, Rows]:
    states = {row["company_unique_id"]: state_of(row) for row in tables["company_master"]}
    groups = defaultdict(list)
    for row in tables["people_master"]:
        groups[states.get(row["company_unique_id"]) or ""].append(row)
    return groups


def host_of(text: str) -> str:
    """The host of a web or e-mail address, or of something that wants to be one; else ''."""
    text = text.strip().lower()
    if "://" in text:
        text = re.split(r"[/?;]", text.partition("://")[2])[0]
    host = re.split(r"[/?;]", text.rpartition("@")[2])[0]
    return host if "." in host else ""
