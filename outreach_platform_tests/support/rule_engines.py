"""Run one rule set over the same rows on DuckDB and on PostgreSQL."""

from collections.abc import Iterable, Mapping, Sequence

import duckdb
import ibis
import psycopg2
import pyarrow as pa
from psycopg2.extensions import connection as Connection
from psycopg2.extras import execute_values

from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.foundation.rules import ERRORS, WARNINGS, RuleSet
from outreach_platform.records.rules import GOOD_COMPANIES

Codes = list[tuple[list[str], list[str]]]


def columns_of(rules: RuleSet) -> list[str]:
    return sorted({column for rule in rules.rules for column in rule.columns})


def query(rules: RuleSet, dialect: str, columns: Iterable[str]) -> str:
    """The set as one statement over a table `judged`, codes in the order of its rows."""
    judged = ibis.table({"n": "int64", **dict.fromkeys(columns, "string")}, name="judged")
    good = ibis.table({"company_unique_id": "string"}, name=GOOD_COMPANIES)
    scored = rules.score(judged, {GOOD_COMPANIES: good})
    return str(ibis.to_sql(scored.order_by("n").select(ERRORS, WARNINGS), dialect=dialect))


def on_duckdb(
    rules: RuleSet, rows: Sequence[Mapping[str, str | None]], good: Sequence[str | None] = ()
) -> Codes:
    columns = list(rows[0])
    judged = pa.table(
        {
            "n": pa.array(range(len(rows)), pa.int64()),
            **{c: pa.array([row[c] for row in rows], pa.string()) for c in columns},
        }
    )
    good_companies = pa.table({"company_unique_id": pa.array(good, pa.string())})
    with duckdb.connect() as engine:
        engine.register("judged", judged)
        engine.register(GOOD_COMPANIES, good_companies)
        return engine.execute(query(rules, "duckdb", columns)).fetchall()


class PostgresJudge:
    """One connection with temporary tables."""

    def __init__(self, url: DatabaseUrl) -> None:
        self.connection: Connection = psycopg2.connect(url.conninfo)

    def __call__(
        self,
        rules: RuleSet,
        rows: Sequence[Mapping[str, str | None]],
        good: Sequence[str | None] = (),
    ) -> Codes:
        columns = list(rows[0])
        with self.connection.cursor() as cursor:
            listed = ", ".join(f"{column} text" for column in columns)
            cursor.execute(f"CREATE TEMP TABLE judged (n int, {listed})")
            cursor.execute(f"CREATE TEMP TABLE {GOOD_COMPANIES} (company_unique_id text)")
            execute_values(
                cursor,
                "INSERT INTO judged VALUES %s",
                [(n, *(row[c] for c in columns)) for n, row in enumerate(rows)],
            )
            if good:
                values = [(company,) for company in good]
                execute_values(cursor, f"INSERT INTO {GOOD_COMPANIES} VALUES %s", values)
            cursor.execute(query(rules, "postgres", columns))
            found = cursor.fetchall()
        self.connection.rollback()
        return found
