import importlib.util
from pathlib import Path

import duckdb
import pytest

from outreach_platform.filings import search_index
from outreach_platform.filings.search_index import (
    SCHEMA,
    STOP_WORDS,
    build_index,
    has_index,
    load_search,
)
from outreach_platform.filings.search_query import read_filters, read_query
from outreach_platform.filings.search_sql import find_chunks
from outreach_platform.foundation.errors import OutreachError
from outreach_platform_tests.support.filing_chunks import make_database

TEXTS = {
    1: {
        "part_i item_1": "<p>We sell widgets, and the widgets sell. Nestlé café 1,234 É.</p>",
        "part_i item_1a": "<p>Risky selling of a widget may be the cause of losses in 2024.</p>",
        "part_i item_4": "<p>the of and to</p>",
    },
    2: {"part_ii item_7": "<p>" + "Losses grew as sales of widgets fell. " * 200 + "</p>"},
}
PRAGMA = (
    "PRAGMA create_fts_index('topics', 'chunk_id', 'chunk_text', stemmer = 'porter', "
    "stopwords = 'stop', ignore = '[^a-z0-9]+', overwrite = 1)"
)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory):
    path = make_database(tmp_path_factory.mktemp("index") / "f.duckdb", TEXTS)
    with duckdb.connect(str(path)) as connection:
        load_search(connection)
        yield connection


def contents(connection: duckdb.DuckDBPyConnection, schema: str) -> list[list[tuple]]:
    """The index without its numbering."""
    names = f"{schema}.terms JOIN {schema}.dict USING (termid) JOIN {schema}.docs USING (docid)"
    statements = (
        f"SELECT name, len FROM {schema}.docs ORDER BY ALL",
        f"SELECT term, df FROM {schema}.dict ORDER BY ALL",
        f"SELECT name, fieldid, term, count(*) FROM {names} GROUP BY ALL ORDER BY ALL",
        f"SELECT num_docs, round(avgdl, 9) FROM {schema}.stats",
        f"SELECT * FROM {schema}.fields",
        f"SELECT * FROM {schema}.stopwords ORDER BY ALL",
    )
    return [connection.execute(statement).fetchall() for statement in statements]


def make_reference(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(
        "CREATE OR REPLACE TABLE topics AS "
        "SELECT chunk_id, chunk_text FROM chunks WHERE chunk_level = 2"
    )
    connection.execute(
        "CREATE OR REPLACE TABLE stop AS SELECT unnest(?) AS word", [sorted(STOP_WORDS)]
    )
    connection.execute(PRAGMA)


@pytest.mark.parametrize("batch", [1, 7, 20_000])
def test_the_index_is_the_one_that_duckdb_would_have_made(
    database: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch, batch: int
):
    make_reference(database)
    monkeypatch.setattr(search_index, "_BATCH", batch)
    build_index(database)
    ours, theirs = contents(database, SCHEMA), contents(database, "fts_main_topics")
    assert ours == theirs
    assert len(ours[0]) >= 5


@pytest.mark.parametrize("words", ["widget", "selling losses 2024", "nestle cafe", "widgets 234"])
def test_ranking_agrees_with_duckdbs_macro(database: duckdb.DuckDBPyConnection, words: str):
    expected = database.execute(
        f"SELECT chunk_id, {SCHEMA}.match_bm25(chunk_id, ?) AS score FROM chunks "
        "WHERE chunk_level = 2 AND score IS NOT NULL ORDER BY score DESC, chunk_id",
        [words],
    ).fetchall()
    found = find_chunks(
        database, read_query(words), read_filters(None, None, None), of_section=99, limit=99
    )
    assert {row["chunk_id"]: pytest.approx(row["score"]) for row in found} == dict(expected)
    assert expected


def test_building_twice_changes_nothing_and_leaves_nothing_behind(
    database: duckdb.DuckDBPyConnection,
):
    before = contents(database, SCHEMA)
    build_index(database)
    assert contents(database, SCHEMA) == before
    left = "SELECT table_name FROM duckdb_tables() WHERE table_name LIKE 'search%'"
    assert database.execute(left).fetchall() == []


def test_an_index_follows_the_chunks(database: duckdb.DuckDBPyConnection):
    def terms() -> set[str]:
        return {term for (term,) in database.execute(f"SELECT term FROM {SCHEMA}.dict").fetchall()}

    assert {"grew", "widget"} <= terms()
    database.execute("BEGIN")
    database.execute("DELETE FROM chunks WHERE section_type = 'item_7'")
    build_index(database)
    assert "grew" not in terms()
    assert "widget" in terms()
    assert database.execute(f"SELECT num_docs FROM {SCHEMA}.stats").fetchall() == [(3,)]
    database.execute("ROLLBACK")
    assert "grew" in terms()


def test_a_database_without_chunks_gets_an_index_without_chunks(tmp_path: Path):
    with duckdb.connect(str(make_database(tmp_path / "f.duckdb", {}, index=False))) as connection:
        assert not has_index(connection)
        build_index(connection)
        assert has_index(connection)


def test_a_missing_wheel_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with duckdb.connect() as connection, pytest.raises(OutreachError, match="duckdb_extension_fts"):
        build_index(connection)
