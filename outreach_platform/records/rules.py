"""The one rule set: what makes a company or a person bad, and what is only worth a warning.

Snapshots judge with it in DuckDB, enrichment in PostgreSQL. Codes are public names. Text is
compared trimmed and without case; null, blank and placeholders count as missing.
"""

from collections.abc import Iterable
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
_SOCIAL = (
    r"(^|/|\.)(facebook|fb|instagram|linkedin|twitter|tiktok|youtube|pinterest)\.com|"
    r"(^|//|//www\.)x\.com"
)
_ROLE_ACCOUNT = (
    r"^(info|sales|contact|admin|administrator|office|support|hello|hr|jobs|careers|marketing|"
    r"billing|help|service|enquiries|inquiries|mail|team|webmaster|postmaster|noreply|no-reply)@"
)
_NO_BREAK_SPACE = "\u00a0"


def _text(table: "ir.Table", column: str) -> "ir.StringValue":
    """The column as trimmed text, empty for null."""
    import ibis

    text = table[column].cast("string").fill_null(ibis.literal(""))
    return text.replace(_NO_BREAK_SPACE, " ").strip()


def _among(text: "ir.StringValue", values: Iterable[str]) -> "ir.BooleanValue":
    import ibis

    return text.isin([ibis.literal(value) for value in values])


def _missing(table: "ir.Table", column: str) -> "ir.BooleanValue":
    return _among(_text(table, column).lower(), PLACEHOLDERS)


def _matches(table: "ir.Table", column: str, pattern: str) -> "ir.BooleanValue":
    return _text(table, column).lower().re_search(pattern)


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
            lambda t, _: _among(_text(t, "employee_count"), ["", "0"]),
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
            lambda t, _: _missing(t, "email") | ~_text(t, "email").re_search(_EMAIL),
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
            lambda t, _: _matches(t, "email", r"^(https?:|www\.)"),
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
