"""The rules of companies and people once more, in plain Python: no regular expression, no SQL."""

import string
from collections.abc import Mapping, Set

PLACEHOLDERS = {
    *("n/a", "na", "n.a.", "none", "null", "nil", "unknown", "test", "-", "--"),
    *("not available", "(blank)", "tbd"),
}
# What Python does not call a space though it prints nothing.
INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff"
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_SOCIAL = ("facebook", "fb", "instagram", "linkedin", "twitter", "tiktok", "youtube", "pinterest")
_ROLES = {
    *("info", "sales", "contact", "admin", "administrator", "office", "support", "hello", "hr"),
    *("jobs", "careers", "marketing", "billing", "help", "service", "enquiries", "inquiries"),
    *("mail", "team", "webmaster", "postmaster", "noreply", "no-reply"),
}

Row = Mapping[str, str | None]


def trimmed(value: str | None) -> str:
    start, end = 0, len(value or "")
    text = value or ""
    while start < end and (text[start].isspace() or text[start] in INVISIBLE):
        start += 1
    while end > start and (text[end - 1].isspace() or text[end - 1] in INVISIBLE):
        end -= 1
    return text[start:end]


def missing(value: str | None) -> bool:
    text = trimmed(value).translate(_LOWER)
    return not text or text in PLACEHOLDERS


def email_matches(value: str | None) -> bool:
    """What `re_search` finds: something, one @, something, a dot and one more that is no @."""
    parts = trimmed(value).split("@")
    return len(parts) > 1 and parts[0] != "" and "." in parts[1][1:-1]


def company_codes(row: Row) -> tuple[list[str], list[str]]:
    site = trimmed(row["website_url"]).translate(_LOWER)
    no_site = missing(row["website_url"])
    employees = trimmed(row["employee_count"])
    errors = {
        "company_name_missing": missing(row["company_name"]),
        "website_url_missing": no_site,
        "website_url_invalid": not no_site and "." not in site,
    }
    warnings = {
        "industry_missing": missing(row["industry"]),
        "employee_count_missing": not employees.replace(".", "", 1).strip("0"),
        "phone_missing": missing(row["company_phone"]),
        "linkedin_missing": missing(row["linkedin_url"]),
        "website_is_social": _is_social(site),
        "website_is_email": _is_whole_email(site),
    }
    return _true(errors), _true(warnings)


def person_codes(row: Row, good_companies: Set[str | None]) -> tuple[list[str], list[str]]:
    email = trimmed(row["email"]).translate(_LOWER)
    company = row["company_unique_id"]
    errors = {
        "email_invalid": missing(row["email"]) or not email_matches(row["email"]),
        "title_missing": missing(row["title"]),
        "company_not_valid": company is None or company not in good_companies,
    }
    warnings = {
        "phone_missing": missing(row["work_phone_e164"]),
        "linkedin_missing": missing(row["linkedin_url"]),
        "email_role_account": "@" in email and email.split("@")[0] in _ROLES,
        "email_is_url": email.startswith(("http:", "https:", "www.")),
    }
    return _true(errors), _true(warnings)


def _true(found: Mapping[str, bool]) -> list[str]:
    return [code for code, broken in found.items() if broken]


def _is_social(site: str) -> bool:
    for end in range(len(site)):
        head, rest = site[:end], site[end:]
        if not rest.startswith(".com") or rest[4:5] not in ("", "/", ":", "?", "#"):
            continue
        name = next((name for name in _SOCIAL if head.endswith(name)), None)
        if name and head.removesuffix(name)[-1:] in ("", "/", "."):
            return True
        if head in ("x", "www.x") or head.endswith(("//x", "//www.x")):
            return True
    return False


def _is_whole_email(site: str) -> bool:
    local, at, domain = site.partition("@")
    return (
        bool(local and at)
        and not set(site[len(local) + 1 :]) & {"@", "/", " "}
        and not (set(local) & {"/", " "})
        and "." in domain[1:-1]
    )
