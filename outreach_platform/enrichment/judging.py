"""The rules as statements of PostgreSQL: rows are judged where they stand, many in one statement.

What the codes mean to a person is said in `rules`; what becomes of a judged row is not said here.
"""

from collections.abc import Iterable, Mapping
from functools import cache, reduce
from operator import or_
from typing import TYPE_CHECKING

from outreach_platform.enrichment.entities import COMPANY, PEOPLE, Entity, entity_named
from outreach_platform.enrichment.rules import promotion_rules
from outreach_platform.enrichment.tables import Places, qualified
from outreach_platform.foundation.errors import SourceError
from outreach_platform.foundation.postgres.shape import Shape
from outreach_platform.foundation.rules import ERRORS, WARNINGS, Rule, RuleSet, holds
from outreach_platform.foundation.warehouse import quote_identifier
from outreach_platform.records.rules import COMPANY_RULES, GOOD_COMPANIES

if TYPE_CHECKING:
    import ibis.expr.types as ir

_CANDIDATES = "candidates"
_REFERENCED = "referenced_companies"
# Stands in no statement, so that it can be told from a literal %.
_PARAMETER = "\x00"


def judging_sql(
    places: Places,
    schema: str,
    company_master_shape: Shape | None = None,
    *,
    with_passed_companies: bool = False,
) -> str:
    """A statement that judges rows of the invalid table by the promotion rules.

    Its one parameter is the list of keys. It gives `(key, errors text[], warnings text[])` for
    each row that is there; the codes are in the order in which they are reported.

    Args:
        places: the tables to judge in.
        schema: the masters' schema.
        company_master_shape: what company_master is made of; people need it.
        with_passed_companies: a company that passed, and is promoted next, is as good as one in
            the master, so that people are not refused in the very run that promotes it.

    Raises:
        SourceError: a table lacks a column that an error rule reads.
    """
    entity = places.entity
    rules = promotion_rules(entity)
    sources = _sources(entity)
    shape = places.invalid_shape
    _must_have(f"{schema}.{entity.invalid}", shape, rules.required_columns, sources)
    columns = {c: s for c, s in sources.items() if c in _read_by(rules.rules) and s in shape}
    parts = {
        _CANDIDATES: _text_rows(places.invalid, columns, f"{_key(entity)} = ANY({_PARAMETER})")
    }
    if entity.name == PEOPLE.name:
        parts |= _good_companies(schema, company_master_shape or {})
    if entity.name == PEOPLE.name and with_passed_companies:
        parts[GOOD_COMPANIES] += f" UNION {_passed_companies(schema)}"
    return _statement(parts, _scoring(entity.name, tuple(columns)))


def masters_judging_sql(places: Places, schema: str) -> str:
    """A statement that finds rows of the master that break a promotion rule.

    Its one parameter is the list of keys; it gives the keys of the rows that are bad. Whether a
    person's company is good is not asked again.

    Raises:
        SourceError: the master lacks a column that an error rule reads.
    """
    entity = places.entity
    columns = _read_by(_own_errors(entity))
    _must_have(f"{schema}.{entity.master}", places.master_shape, columns, {})
    rows = _text_rows(places.master, {c: c for c in columns}, f"{_key(entity)} = ANY({_PARAMETER})")
    return _statement({_CANDIDATES: rows}, _bad_keys(entity.name))


def _sources(entity: Entity) -> dict[str, str]:
    """Data columns, and the key, by the name under which the rules read them."""
    mapped = {name: data for data, names in entity.to_master.items() for name in names}
    unmapped = {data: data for data in entity.columns if data not in entity.to_master}
    return {entity.key: entity.key} | unmapped | mapped


def _read_by(rules: Iterable[Rule]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(column for rule in rules for column in rule.columns))


def _must_have(
    table: str, shape: Shape, columns: Iterable[str], sources: Mapping[str, str]
) -> None:
    names = dict.fromkeys(sources.get(column, column) for column in columns)
    missing = [name for name in names if name not in shape]
    if missing:
        raise SourceError(
            f"{table} lacks {', '.join(missing)}, which the rules need: add what is missing"
        )


def _key(entity: Entity) -> str:
    return f"r.{quote_identifier(entity.key)}"


def _text_rows(table: str, columns: Mapping[str, str], where: str) -> str:
    """Rows of a table `r` with columns as the rules name them, whatever type they have there."""
    listed = ", ".join(
        f"r.{quote_identifier(source)}::text AS {quote_identifier(name)}"
        for name, source in columns.items()
    )
    return f"SELECT {listed} FROM {table} AS r WHERE {where}"


def _good_companies(schema: str, shape: Shape) -> dict[str, str]:
    """The companies that candidates name, and those of them that break none of their rules."""
    columns = (COMPANY.key, *COMPANY_RULES.required_columns)
    _must_have(f"{schema}.{COMPANY.master}", shape, columns, {})
    named = f"SELECT DISTINCT c.{quote_identifier(COMPANY.key)} FROM {_CANDIDATES} AS c"
    # An array, and not a subquery: the planner then goes to the rows through their key.
    rows = _text_rows(
        qualified(schema, COMPANY.master),
        {column: column for column in columns},
        f"{_key(COMPANY)} = ANY(ARRAY({named}))",
    )
    return {_REFERENCED: rows, GOOD_COMPANIES: _good_ids()}


def _passed_companies(schema: str) -> str:
    """The companies that candidates name and that wait for their promotion."""
    key = quote_identifier(COMPANY.key)
    return (
        f"SELECT r.{key}::text FROM {qualified(schema, COMPANY.invalid)} AS r "
        f"WHERE r.{key} = ANY(ARRAY(SELECT DISTINCT c.{key} FROM {_CANDIDATES} AS c)) "
        "AND r.enrichment_status = 'complete' AND r.passed_hash IS NOT NULL "
        "AND r.still_invalid IS NOT TRUE"
    )


def _statement(parts: Mapping[str, str], query: str) -> str:
    """One statement for psycopg2, which wants each literal % doubled."""
    listed = ", ".join(f"{name} AS ({body})" for name, body in parts.items())
    whole = f"WITH {listed} SELECT * FROM ({query}) AS judged"
    return whole.replace("%", "%%").replace(_PARAMETER, "%s")


@cache
def _scoring(name: str, columns: tuple[str, ...]) -> str:
    entity = entity_named(name)
    good = _table(GOOD_COMPANIES, (COMPANY.key,))
    scored = promotion_rules(entity).score(_table(_CANDIDATES, columns), {GOOD_COMPANIES: good})
    return _compiled(scored.select(entity.key, ERRORS, WARNINGS))


@cache
def _bad_keys(name: str) -> str:
    entity = entity_named(name)
    rules = _own_errors(entity)
    table = _table(_CANDIDATES, _read_by(rules))
    return _compiled(table.filter(_any_of(rules, table)).select(entity.key))


@cache
def _good_ids() -> str:
    table = _table(_REFERENCED, (COMPANY.key, *COMPANY_RULES.required_columns))
    bad = _any_of(_errors(COMPANY_RULES), table)
    return _compiled(table.filter(~bad).select(COMPANY.key))


def _own_errors(entity: Entity) -> tuple[Rule, ...]:
    """The errors that a row shows by itself, without a look into another table."""
    return tuple(r for r in _errors(promotion_rules(entity)) if r.code != "company_not_valid")


def _errors(rules: RuleSet) -> tuple[Rule, ...]:
    return tuple(rule for rule in rules.rules if rule.severity == "error")


def _any_of(rules: Iterable[Rule], table: "ir.Table") -> "ir.BooleanValue":
    return reduce(or_, (holds(rule, table, {}) for rule in rules))


def _table(name: str, columns: Iterable[str]) -> "ir.Table":
    import ibis

    return ibis.table(dict.fromkeys(columns, "string"), name=name)


def _compiled(query: "ir.Table") -> str:
    import ibis

    return str(ibis.to_sql(query, dialect="postgres"))
