"""One pass over pulled events: what breaks a rule, and where it goes.

The pulled rows stand in a table of the engine. A clean pull costs one aggregate; only where
something is wrong are rows scored one by one.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import duckdb

from outreach_platform.events.rules import DOUBLED, event_rules
from outreach_platform.events.schema import COLUMNS, NAMES
from outreach_platform.events.source import DAY, UNDATED, day_name, is_day
from outreach_platform.foundation.redaction import mask_emails_in
from outreach_platform.foundation.rules import ERRORS, RuleSet, holds
from outreach_platform.foundation.warehouse import quote_identifier, quote_text

if TYPE_CHECKING:
    from ibis.backends.duckdb import Backend as DuckDBBackend

# Not temporary: several connections write days from them.
PULLED = "pulled"
_BAD = "bad"
_VIOLATIONS = "violations"
_SHOWN = 5
_SHOWN_VALUE = 40


@dataclass(frozen=True)
class Judgement:
    """What one pass found.

    Attributes:
        errors: rows by violated rule, only rules that any row violates.
        warnings: rows by warning, likewise.
        bad_rows: rows that violate any rule.
    """

    errors: dict[str, int]
    warnings: dict[str, int]
    bad_rows: int


NOT_JUDGED = Judgement({}, {}, 0)


def judge(engine: duckdb.DuckDBPyConnection, now: datetime, others: str | None = None) -> Judgement:
    """Judge the rows of the table `pulled`.

    Leaves a table `bad` in the engine: `rowid` of the rows that failed and their codes.

    Args:
        engine: holds `pulled`: the fifteen columns, `JSON_VALID` and `DAY`, sorted by time and id.
        now: aware.
        others: a query for the ids of events outside `pulled`, among which they must not stand
            again; None where the source keeps ids unique.
    """
    import ibis

    rules = event_rules(now)
    _find_doubled(engine, others)
    backend = ibis.duckdb.from_connection(engine)
    related = {DOUBLED: backend.table(DOUBLED)}
    tally = ibis.to_sql(rules.tally(backend.table(PULLED), related), dialect="duckdb")
    found = engine.execute(tally).fetchone() or ()
    counts = {
        rule.code: int(count)
        for rule, count in zip(rules.rules, found, strict=True)
        if count  # a sum over no rows is null
    }
    errors = {
        r.code: counts[r.code] for r in rules.rules if r.severity == "error" and r.code in counts
    }
    warnings = {c: n for c, n in counts.items() if c not in errors}
    engine.execute(f"CREATE OR REPLACE TABLE {_BAD} (row BIGINT, {ERRORS} VARCHAR[])")
    if errors:
        _score(engine, backend, rules)
    bad = engine.execute(f"SELECT count(*) FROM {_BAD}").fetchone()
    return Judgement(errors, warnings, bad[0] if bad else 0)


def _find_doubled(engine: duckdb.DuckDBPyConnection, others: str | None) -> None:
    """Make the table of ids that stand more than once, in a day or across days."""
    across = f" UNION SELECT id FROM {PULLED} WHERE id IN ({others})" if others else ""
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE {DOUBLED} AS SELECT id FROM {PULLED} "
        f"WHERE id IS NOT NULL GROUP BY id HAVING count(*) > 1{across}"
    )


def _score(engine: duckdb.DuckDBPyConnection, backend: "DuckDBBackend", rules: RuleSet) -> None:
    import ibis

    engine.execute(f"CREATE OR REPLACE TEMP VIEW numbered AS SELECT *, rowid AS row FROM {PULLED}")
    scored = rules.score(backend.table("numbered"), {DOUBLED: backend.table(DOUBLED)})
    codes = ibis.to_sql(scored.select("row", ERRORS), dialect="duckdb")
    engine.execute(
        f"INSERT INTO {_BAD} SELECT row, {ERRORS} FROM ({codes}) WHERE len({ERRORS}) > 0"
    )


def good_rows(day: str, judgement: Judgement, *, everything: bool) -> str:
    """The query for the good events of a day, sorted by time and id.

    Args:
        day: the day.
        judgement: from `judge`.
        everything: bad rows go on as well.
    """
    listed = ", ".join(quote_identifier(name) for name in NAMES)
    query = f"SELECT {listed} FROM {PULLED} WHERE {is_day(day)}"
    if everything or not judgement.bad_rows:
        return query  # pulled rows stand sorted
    return f"{query} AND rowid NOT IN (SELECT row FROM {_BAD}) ORDER BY rowid"


def bad_rows(day: str) -> str:
    """The query for the rows of a day that failed, with their codes."""
    listed = ", ".join(f"p.{quote_identifier(name)}" for name in NAMES)
    return (
        f"SELECT {listed}, b.{ERRORS} FROM {PULLED} p JOIN {_BAD} b ON p.rowid = b.row "
        f'WHERE {is_day(day, "p.")} ORDER BY p."timestamp", p.id, b.row'
    )


def bad_days(engine: duckdb.DuckDBPyConnection) -> dict[str, dict[str, int]]:
    """Rows by code of each day that has bad rows."""
    found = engine.execute(
        f"SELECT day, code, count(*) FROM "
        f"(SELECT {day_name('p.')} AS day, unnest(b.{ERRORS}) AS code "
        f"FROM {_BAD} b JOIN {PULLED} p ON p.rowid = b.row) GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    days: dict[str, dict[str, int]] = {}
    for day, code, count in found:
        days.setdefault(day, {})[code] = count
    return days


def violations_sql(engine: duckdb.DuckDBPyConnection) -> str:
    """The query for the error report: rule, column, value, row id; one line a violation."""
    # The clock decides what a rule says, not what it is called.
    by_code = {rule.code: rule.columns[0] for rule in event_rules(datetime.now(UTC)).rules}
    cases = " ".join(
        f"WHEN {quote_text(code)} THEN p.{quote_identifier(column)}::VARCHAR"
        for code, column in by_code.items()
    )
    columns = " ".join(
        f"WHEN {quote_text(code)} THEN {quote_text(column)}" for code, column in by_code.items()
    )
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE {_VIOLATIONS} AS "
        f"SELECT row, unnest({ERRORS}) AS code FROM {_BAD}"
    )
    return (
        f'SELECT v.code AS rule, CASE v.code {columns} END AS "column", '
        f"CASE v.code {cases} END AS value, p.id AS row_id FROM {_VIOLATIONS} v "
        f'JOIN {PULLED} p ON p.rowid = v.row ORDER BY p."timestamp", p.id, v.code'
    )


def first_violations(engine: duckdb.DuckDBPyConnection, query: str) -> list[str]:
    """The first few violations in words; long values are cut, e-mail addresses masked."""
    rows = engine.execute(f"SELECT * FROM ({query}) LIMIT {_SHOWN}").fetchall()
    return [
        f"{rule} ({column} = {_shown(column, value)}, id {_shown('id', row)})"
        for rule, column, value, row in rows
    ]


def _shown(column: str, value: str | None) -> str:
    if value is None:
        return "null"
    if column == "eventData":
        return "…"
    text = mask_emails_in(value)
    return repr(text if len(text) <= _SHOWN_VALUE else f"{text[:_SHOWN_VALUE]}…")


def null_counts(engine: duckdb.DuckDBPyConnection) -> dict[str, dict[str, int]]:
    """Nulls by day and column, before validation."""
    counts = ", ".join(f"count(*) - count({quote_identifier(c.name)})" for c in COLUMNS)
    rows = engine.execute(f"SELECT {day_name()}, {counts} FROM {PULLED} GROUP BY {DAY}").fetchall()
    return {
        day: {name: nulls for name, nulls in zip(NAMES, counted, strict=True) if nulls}
        for day, *counted in rows
    }


def warning_days(engine: duckdb.DuckDBPyConnection, now: datetime) -> dict[str, dict[str, int]]:
    """Rows by warning of each day; asked for only where `judge` found any."""
    import ibis

    backend = ibis.duckdb.from_connection(engine)
    table = backend.table(PULLED)
    rules = [rule for rule in event_rules(now).rules if rule.severity == "warning"]
    counted = table.group_by(DAY).aggregate(
        [holds(rule, table, {}).sum().name(rule.code) for rule in rules]
    )
    rows = engine.execute(str(ibis.to_sql(counted, dialect="duckdb"))).fetchall()
    return {
        str(day or UNDATED): {rule.code: int(n) for rule, n in zip(rules, counts, strict=True) if n}
        for day, *counts in rows
    }
