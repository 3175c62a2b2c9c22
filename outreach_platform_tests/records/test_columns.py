"""Columns, ids and the contract at the edge."""

import re
from pathlib import Path

import duckdb
import psycopg2
import pytest

from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.records import barton
from outreach_platform.records.columns import (
    COMPANIES,
    ENTITIES,
    PEOPLE,
    STATE_COLUMNS,
    Entity,
)
from outreach_platform.records.contract import contract_problems
from outreach_platform_tests.support.masters import create_masters
from outreach_platform_tests.support.postgres import fetch


def test_the_columns_are_those_of_the_tables(neon_url: DatabaseUrl) -> None:
    create_masters(neon_url)
    for entity in ENTITIES:
        rows = fetch(
            neon_url,
            "SELECT column_name FROM information_schema.columns WHERE table_schema = 'marketing' "
            f"AND table_name = '{entity.table}' ORDER BY ordinal_position",
        )
        assert len(rows) == 29
        assert {name for (name,) in rows} == set(entity.columns)
        assert len(set(entity.columns)) == len(entity.columns)


def test_what_is_needed() -> None:
    assert COMPANIES.needed == ("company_unique_id", "company_name", "website_url")
    assert PEOPLE.needed == ("unique_id", "email", "title", "company_unique_id")
    assert set(STATE_COLUMNS) <= set(COMPANIES.columns)


@pytest.mark.parametrize(
    ("pattern", "kind"), [(barton.COMPANY, "01"), (barton.PERSON, "02"), (barton.SLOT, "05")]
)
def test_barton_ids_on_every_engine(neon_url: DatabaseUrl, pattern: str, kind: str) -> None:
    good = [f"04.04.{kind}.{rest}" for rest in ("00.00000.000", "99.12345.345", "07.1234567.999")]
    bad = [
        *("", "04", f"04.04.{kind}.0.00000.000", f"04.04.{kind}.00.0000.000"),
        *(
            f"04.04.{kind}.00.00000.00",
            f"04.04.{kind}.00.00000.0000",
            f"04.04.{kind}.00.00000.000 ",
        ),
        *(
            f" 04.04.{kind}.00.00000.000",
            f"04x04x{kind}x00x00000x000",
            f"05.04.{kind}.00.00000.000",
        ),
        *(
            "04.04.03.00.00000.000",
            f"04.04.{kind}.\u0660\u0660.00000.000",
            f"04.04.{kind}.00.00000.000\n",
        ),
    ]
    connection = psycopg2.connect(neon_url.conninfo)
    with connection.cursor() as cursor:
        for text, expected in [*((t, True) for t in good), *((t, False) for t in bad)]:
            found = duckdb.execute("SELECT regexp_matches(?, ?)", [text, pattern]).fetchone()
            assert found == (expected,), text
            cursor.execute("SELECT %s ~ %s", [text, pattern])
            assert cursor.fetchone() == (expected,), text
            # Python's $ also matches before a last newline.
            assert bool(re.search(pattern.replace("$", r"\Z"), text)) is expected, text
    connection.close()


def raw_file(folder: Path, entity: Entity, **changes: str | None) -> Path:
    """A raw file with no rows: needed columns as text, changed or dropped by name."""
    kinds = dict.fromkeys(entity.needed, "VARCHAR") | {"extra": "DECIMAL(5,2)"} | changes
    items = [f"NULL::{kind} AS {name}" for name, kind in kinds.items() if kind]
    path = folder / f"{entity.name}.parquet"
    duckdb.execute(f"COPY (SELECT {', '.join(items)} WHERE false) TO '{path}' (FORMAT parquet)")
    return path


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda e: e.name)
def test_the_contract_is_kept(tmp_path: Path, entity: Entity) -> None:
    assert contract_problems(entity, raw_file(tmp_path, entity)) == []
    assert contract_problems(entity, raw_file(tmp_path, entity, more="INT[]")) == []


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda e: e.name)
def test_the_contract_is_broken(tmp_path: Path, entity: Entity) -> None:
    for column in entity.needed:
        (problem,) = contract_problems(entity, raw_file(tmp_path, entity, **{column: None}))
        assert problem == f"{entity.table} lacks the column {column}"
        (problem,) = contract_problems(entity, raw_file(tmp_path, entity, **{column: "INTEGER"}))
        assert problem.startswith(f"{entity.table}.{column} is no text")
        assert "\n" not in problem
    first, second = entity.needed[:2]
    path = raw_file(tmp_path, entity, **{first: None, second: "DATE"})
    assert len(contract_problems(entity, path)) == 2
