"""The one rule set: what makes a company or a person bad, and what is only worth a warning.

Snapshots judge with it in DuckDB, enrichment in PostgreSQL. Codes are public names. Text is
compared trimmed and without case; null, blank and placeholders count as missing.
"""

from functools import cache
from typing import TYPE_CHECKING

from outreach_platform.foundation.rules import Rule, RuleSet, Tables, rules_version

if TYPE_CHECKING:
    import ibis.expr.types as ir

PLACEHOLDERS = (
    "",
    "n/a",
    "na",
    "n.a.",
    "none",
    "null",
    "nil",
    "unknown",
    "test",
    "-",
    "--",
    "not available",
    "(blank)",
    "tbd",
)

# Rules about people look into the good companies under this name.
GOOD_COMPANIES = "good_companies"

_EMAIL = r"^[^@]+@[^@]+\.[^@]+"
_WHOLE_EMAIL = r"^[^@/ ]+@[^@/ ]+\.[^@/ ]+$"
_SOCIAL_SITES = "facebook|fb|instagram|linkedin|twitter|tiktok|youtube|pinterest"
_ROLES = (
    "info|sales|contact|admin|administrator|office|support|hello|hr|jobs|careers|marketing|"
    "billing|help|service|enquiries|inquiries|mail|team|webmaster|postmaster|noreply|no-reply"
)
# Everything that prints nothing: engines disagree on what a space is, so each is spelled out.
_BLANK = (
    "\t\n\x0b\x0c\r\x1c-\x1f \x85\xa0\u1680\u2000-\u200d\u2028\u2029\u202f\u205f\u2060\u3000\ufeff"
)
_AROUND = f"^[{_BLANK}]+|[{_BLANK}]+$"


def _any_case(pattern: str) -> str:
    """The pattern with each ASCII letter in both cases: `lower()` depends on the locale."""
    return "".join(
        f"[{letter.lower()}{letter.upper()}]" if letter.isalpha() else letter for letter in pattern
    )


def _literally(text: str) -> str:
    return "".join(letter if letter.isalnum() else f"[{letter}]" for letter in text)


_MISSING = f"^({'|'.join(_any_case(_literally(text)) for text in PLACEHOLDERS if text)})?$"
_SOCIAL = _any_case(rf"((^|/|\.)({_SOCIAL_SITES})|(^|//|//www\.|^www\.)x)\.com($|[/:?#])")
_ROLE_ACCOUNT = _any_case(f"^({_ROLES})@")
_WEB_ADDRESS = _any_case(r"^(https?:|www\.)")
_ZERO_OR_EMPTY = r"^0*\.?0*$"


def _text(table: "ir.Table", column: str) -> "ir.StringValue":
    """The column as trimmed text, empty for null."""
    import ibis

    text = table[column].cast("string").fill_null(ibis.literal(""))
    return text.re_replace(_AROUND, "")


def _missing(table: "ir.Table", column: str) -> "ir.BooleanValue":
    return _text(table, column).re_search(_MISSING)


def _matches(table: "ir.Table", column: str, pattern: str) -> "ir.BooleanValue":
    return _text(table, column).re_search(pattern)


def _no_good_company(table: "ir.Table", related: Tables) -> "ir.BooleanValue":
    good = related[GOOD_COMPANIES]
    ids = good.filter(good.company_unique_id.notnull()).company_unique_id
    return table.company_unique_id.isnull() | ~table.company_unique_id.isin(ids)


def _phone_missing(column: str) -> Rule:
    return Rule(
        "phone_missing",
        "warning",
        (column,),
        lambda t, _: _missing(t, column),
        "no phone number",
    )


_LINKEDIN_MISSING = Rule(
    "linkedin_missing",
    "warning",
    ("linkedin_url",),
    lambda t, _: _missing(t, "linkedin_url"),
    "no LinkedIn page",
)

COMPANY_RULES = RuleSet(
    "company",
    (
        Rule(
            "company_name_missing",
            "error",
            ("company_name",),
            lambda t, _: _missing(t, "company_name"),
            "the company has no name",
        ),
        Rule(
            "website_url_missing",
            "error",
            ("website_url",),
            lambda t, _: _missing(t, "website_url"),
            "the company has no website",
        ),
        Rule(
            "website_url_invalid",
            "error",
            ("website_url",),
            lambda t, _: ~_missing(t, "website_url") & ~_text(t, "website_url").contains("."),
            "the website has no dot",
        ),
        Rule(
            "industry_missing",
            "warning",
            ("industry",),
            lambda t, _: _missing(t, "industry"),
            "no industry",
        ),
        Rule(
            "employee_count_missing",
            "warning",
            ("employee_count",),
            lambda t, _: _matches(t, "employee_count", _ZERO_OR_EMPTY),
            "the number of employees is empty or 0",
        ),
        _phone_missing("company_phone"),
        _LINKEDIN_MISSING,
        Rule(
            "website_is_social",
            "warning",
            ("website_url",),
            lambda t, _: _matches(t, "website_url", _SOCIAL),
            "the website is a page on a social network",
        ),
        Rule(
            "website_is_email",
            "warning",
            ("website_url",),
            lambda t, _: _matches(t, "website_url", _WHOLE_EMAIL),
            "the website is an e-mail address",
        ),
    ),
)

PEOPLE_RULES = RuleSet(
    "person",
    (
        Rule(
            "email_invalid",
            "error",
            ("email",),
            lambda t, _: _missing(t, "email") | ~_matches(t, "email", _EMAIL),
            "the e-mail is empty or none",
        ),
        Rule(
            "title_missing",
            "error",
            ("title",),
            lambda t, _: _missing(t, "title"),
            "the person has no title",
        ),
        Rule(
            "company_not_valid",
            "error",
            ("company_unique_id",),
            _no_good_company,
            "no good company has the person's company id",
        ),
        _phone_missing("work_phone_e164"),
        _LINKEDIN_MISSING,
        Rule(
            "email_role_account",
            "warning",
            ("email",),
            lambda t, _: _matches(t, "email", _ROLE_ACCOUNT),
            "the e-mail is a shared mailbox",
        ),
        Rule(
            "email_is_url",
            "warning",
            ("email",),
            lambda t, _: _matches(t, "email", _WEB_ADDRESS),
            "the e-mail is a web address",
        ),
    ),
)

# The predecessor's first form did not tie people to good companies.
UNTIED_PEOPLE_RULES = RuleSet(
    "person", tuple(rule for rule in PEOPLE_RULES.rules if rule.code != "company_not_valid")
)


@cache
def current_rules_version() -> str:
    """The version of both rule sets: changes exactly when what they do changes."""
    import ibis

    def table(name: str, rule_set: RuleSet) -> "ir.Table":
        columns = {column for rule in rule_set.rules for column in rule.columns}
        return ibis.table(dict.fromkeys(sorted(columns), "string"), name=name)

    good = ibis.table({"company_unique_id": "string"}, name=GOOD_COMPANIES)
    return rules_version(
        [
            (COMPANY_RULES, table("companies", COMPANY_RULES), {}),
            (PEOPLE_RULES, table("people", PEOPLE_RULES), {GOOD_COMPANIES: good}),
        ]
    )
