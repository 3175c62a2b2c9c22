"""What a mended record has to satisfy before it is promoted, and what is said where it does not.

The snapshot's rules hold first, on the columns that a record would have in the master; the rules
here are asked of promotions alone. Which rows are judged, and where, is said in `judging`.

An example address is one at example.com, example.org or example.net or at any host below them:
whoever types ann@mail.example.com has no address either. The reserved endings .example and .test
pass: nobody types them by mistake, and invented people need addresses that reach nobody and can
be promoted all the same.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from outreach_platform.enrichment.entities import COMPANY, PEOPLE, Entity
from outreach_platform.foundation.rules import Rule, RuleSet, Tables, rules_version
from outreach_platform.records.rules import (
    _BLANK,
    COMPANY_RULES,
    GOOD_COMPANIES,
    PEOPLE_RULES,
    PLACEHOLDERS,
    _matches,
    _missing,
    _text,
)

if TYPE_CHECKING:
    import ibis.expr.types as ir

_SHORTEST_COMPANY_NAME = 2
_SHORTEST_FULL_NAME = 3
_ADDRESS = r"^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}$"
_EXAMPLE = (
    r"^[^@]+@([^@]*[.])?[eE][xX][aA][mM][pP][lL][eE][.]([cC][oO][mM]|[oO][rR][gG]|[nN][eE][tT])$"
)
# Possessive, so that 100 kB of blanks before a letter are read once and not once for each of them.
_NOTHING = re.compile(
    f"[{_BLANK}]*+(?:{'|'.join(map(re.escape, PLACEHOLDERS))})[{_BLANK}]*+",
    re.IGNORECASE | re.ASCII,
)


@dataclass(frozen=True)
class Description:
    """What is written on a row that failed.

    Attributes:
        reason_code: of the first error; None where there is none.
        errors: sentences by the invalid table's column, which hold no value of the row.
    """

    reason_code: str | None
    errors: dict[str, str]


@dataclass(frozen=True)
class Fault:
    """What a code says to the enricher.

    Attributes:
        field: the column of the invalid table that it is about.
        reason: the reason_code that it gives; None for a warning.
        says: the sentence, where the rule's own words do not fit.
    """

    field: str
    reason: str | None = None
    says: str | None = None


_NO_EMAIL = Fault("email", "EMPTY_EMAIL", "the e-mail is empty or a placeholder")
# Errors are reported in this order, and the first of them gives the reason.
_FAULTS: dict[str, dict[str, Fault]] = {
    COMPANY.name: {
        "company_name_missing": Fault("company_name", "EMPTY_NAME"),
        "company_name_short": Fault("company_name", "EMPTY_NAME"),
        "website_url_missing": Fault("website", "EMPTY_WEBSITE"),
        "website_url_invalid": Fault("website", "INVALID_WEBSITE"),
        "id_malformed": Fault(COMPANY.key, "INVALID_ID"),
        "industry_missing": Fault("industry"),
        "employee_count_missing": Fault("employee_count"),
        "phone_missing": Fault("phone"),
        "linkedin_missing": Fault("linkedin_url"),
        "website_is_social": Fault("website"),
        "website_is_email": Fault("website"),
    },
    PEOPLE.name: {
        "name_incomplete": Fault("full_name", "EMPTY_NAME"),
        "email_invalid": Fault("email", "INVALID_EMAIL", "the e-mail is no address"),
        "email_malformed": Fault("email", "INVALID_EMAIL"),
        "email_example": Fault("email", "INVALID_EMAIL"),
        "title_missing": Fault("title", "EMPTY_TITLE"),
        "company_not_valid": Fault("company_unique_id", "UNKNOWN_COMPANY"),
        "id_malformed": Fault(PEOPLE.key, "INVALID_ID"),
        "phone_missing": Fault("phone"),
        "linkedin_missing": Fault("linkedin_url"),
        "email_role_account": Fault("email"),
        "email_is_url": Fault("email"),
    },
}


def _shorter(table: "ir.Table", column: str, least: int) -> "ir.BooleanValue":
    import ibis

    return _text(table, column).length() < ibis.literal(least)


def _name_short(table: "ir.Table", _: Tables) -> "ir.BooleanValue":
    there = ~_missing(table, "company_name")
    return there & _shorter(table, "company_name", _SHORTEST_COMPANY_NAME)


def _name_incomplete(table: "ir.Table", _: Tables) -> "ir.BooleanValue":
    parts = _missing(table, "first_name") | _missing(table, "last_name")
    full = _missing(table, "full_name") | _shorter(table, "full_name", _SHORTEST_FULL_NAME)
    return parts & full


def _email_malformed(table: "ir.Table", related: Tables) -> "ir.BooleanValue":
    (invalid,) = (rule for rule in PEOPLE_RULES.rules if rule.code == "email_invalid")
    return ~invalid.violated(table, related) & ~_matches(table, "email", _ADDRESS)


def _id_malformed(entity: Entity, kind: str) -> Rule:
    """Not trimmed: the id is the row's key everywhere, as it stands."""

    def violated(table: "ir.Table", _: Tables) -> "ir.BooleanValue":
        import ibis

        key = table[entity.key].cast("string").fill_null(ibis.literal(""))
        return ~key.re_search(entity.key_pattern)

    says = f"the id is no Barton id of a {kind}"
    return Rule("id_malformed", "error", (entity.key,), violated, says)


def _with(rules: RuleSet, faults: Mapping[str, Fault], *further: Rule) -> RuleSet:
    order = list(faults)
    both = sorted((*rules.rules, *further), key=lambda rule: order.index(rule.code))
    return RuleSet(rules.entity, tuple(both))


_RULES = {
    COMPANY.name: _with(
        COMPANY_RULES,
        _FAULTS[COMPANY.name],
        Rule(
            "company_name_short",
            "error",
            ("company_name",),
            _name_short,
            "the company's name has less than two characters",
        ),
        _id_malformed(COMPANY, "company"),
    ),
    PEOPLE.name: _with(
        PEOPLE_RULES,
        _FAULTS[PEOPLE.name],
        Rule(
            "name_incomplete",
            "error",
            ("first_name", "last_name", "full_name"),
            _name_incomplete,
            "the person has neither first and last name nor a full name of three characters",
        ),
        Rule(
            "email_malformed",
            "error",
            ("email",),
            _email_malformed,
            "the e-mail is not of the form name@host.ending",
        ),
        Rule(
            "email_example",
            "error",
            ("email",),
            lambda t, _: _matches(t, "email", _EXAMPLE),
            "the e-mail is an example address",
        ),
        _id_malformed(PEOPLE, "person"),
    ),
}


def promotion_rules(entity: Entity) -> RuleSet:
    """The snapshot's rules with those for promotions, in the order in which they are reported.

    They read the master's column names, the person's full name and the key.
    """
    return _RULES[entity.name]


def described(
    entity: Entity, codes: Iterable[str], content: Mapping[str, str | None]
) -> Description:
    """Say in words why a row failed.

    Args:
        entity: whose row.
        codes: of the errors that it has, in any order.
        content: its values by data column; only whether there is an e-mail is taken from them.
    """
    faults = {code: _FAULTS[entity.name][code] for code in _in_order(entity, codes)}
    if "email_invalid" in faults and _NOTHING.fullmatch(content.get("email") or ""):
        faults["email_invalid"] = _NO_EMAIL
    reasons = [fault.reason for fault in faults.values()]
    return Description(reasons[0] if reasons else None, _messages(entity, faults))


def described_warnings(entity: Entity, codes: Iterable[str]) -> dict[str, str]:
    """The sentences of warnings by the invalid table's column."""
    faults = {code: _FAULTS[entity.name][code] for code in _in_order(entity, codes)}
    return _messages(entity, faults)


def _in_order(entity: Entity, codes: Iterable[str]) -> list[str]:
    return sorted(set(codes), key=list(_FAULTS[entity.name]).index)


def _messages(entity: Entity, faults: Mapping[str, Fault]) -> dict[str, str]:
    says = {rule.code: rule.says for rule in promotion_rules(entity).rules}
    messages: dict[str, list[str]] = {}
    for code, fault in faults.items():
        messages.setdefault(fault.field, []).append(fault.says or says[code])
    return {field: "; ".join(sentences) for field, sentences in messages.items()}


@cache
def promotion_rules_version() -> str:
    """The version of both sets: 12 hex digits that change exactly when what they do changes."""
    import ibis

    def table(name: str, rules: RuleSet) -> "ir.Table":
        columns = {column for rule in rules.rules for column in rule.columns}
        return ibis.table(dict.fromkeys(sorted(columns), "string"), name=name)

    good = ibis.table({"company_unique_id": "string"}, name=GOOD_COMPANIES)
    companies, people = promotion_rules(COMPANY), promotion_rules(PEOPLE)
    return rules_version(
        [
            (companies, table("companies", companies), {}),
            (people, table("people", people), {GOOD_COMPANIES: good}),
        ]
    )
