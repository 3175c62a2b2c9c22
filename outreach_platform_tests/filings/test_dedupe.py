"""A clean-up keeps the better of each pair, lets children follow, and loses nothing by accident."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from outreach_platform.filings import backup as backup_module
from outreach_platform.filings import dedupe as dedupe_module
from outreach_platform.filings import model
from outreach_platform.filings.dedupe import DedupeReport, dedupe
from outreach_platform.filings.dedupe_homes import home_of, rows_of_table
from outreach_platform.filings.health import read_health, verdicts
from outreach_platform.filings.schema import COLUMNS
from outreach_platform.foundation.errors import IntegrityError, OutreachError
from outreach_platform.settings_toml import FilingSettings
from outreach_platform_tests.filings.whole import (
    FIRST,
    chunk_rows,
    footnote_row,
    insert,
    section_row,
    table_row,
    whole_database,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SECTION = ("part_i", "item_1")
Change = Callable[[duckdb.DuckDBPyConnection], Any]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return whole_database(tmp_path_factory.mktemp("whole") / "filings.duckdb")


@pytest.fixture
def path(whole: Path, tmp_path: Path) -> Path:
    return shutil.copy(whole, tmp_path / "filings.duckdb")


def content(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    with closing(duckdb.connect(str(path), read_only=True)) as connection:
        return {
            table: connection.execute(f"FROM {table} ORDER BY ALL").fetchall() for table in COLUMNS
        }


def spoil(path: Path, change: Change | str) -> None:
    with closing(duckdb.connect(str(path))) as connection:
        if isinstance(change, str):
            connection.execute(change)
        else:
            change(connection)


def clean(path: Path, *, dry_run: bool = False) -> DedupeReport:
    return dedupe(path, dry_run=dry_run, backups=path.parent / "backups", now=NOW)


def rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(duckdb.connect(str(path), read_only=True)) as connection:
        return connection.execute(query).fetchall()


def assert_flawless(path: Path, *, gaps: bool = False) -> None:
    wrong = {v.name for v in verdicts(read_health(path), FilingSettings()) if not v.passed}
    assert wrong <= ({"completeness"} if gaps else set())
    again = clean(path)
    assert again.nothing
    assert again.backup is None


def test_a_flawless_database_stays_byte_for_byte(path: Path, whole: Path) -> None:
    report = clean(path)
    assert report.nothing
    assert path.read_bytes() == whole.read_bytes()
    assert not (path.parent / "backups").exists()


def test_each_row_twice_becomes_each_row_once(path: Path, whole: Path) -> None:
    spoil(path, "; ".join(f"INSERT INTO {table} FROM {table}" for table in COLUMNS))
    report = clean(path)
    assert content(path) == content(whole)
    assert report.before == {table: 2 * number for table, number in report.after.items()}
    assert sum(report.removed.values()) == sum(report.after.values())
    assert report.changed == {}
    assert_flawless(path)


def twin(connection: duckdb.DuckDBPyConnection, text: str, **better: Any) -> dict[str, Any]:
    """Another section for item 1 of the first filing, with children of its own and uuid ids."""
    section = section_row(FIRST, *SECTION, text=text) | {"id": "a-uuid"} | better
    chunks = [chunk | {"section_id": "a-uuid"} for chunk in chunk_rows(section)]
    for number, chunk in enumerate(chunks):
        chunk |= {"chunk_id": f"c{number}", "parent_chunk_id": "c0" if number else None}
    insert(connection, "sections", [section])
    insert(connection, "chunks", chunks)
    insert(connection, "tables", [table_row(FIRST, 7, "a-uuid") | {"id": "t-uuid"}])
    insert(
        connection, "footnotes", [footnote_row(FIRST, "t-uuid", "(a)", 0) | {"footnote_id": "f"}]
    )
    return section


OLD = f"Item 1 of {FIRST}: " + "as it stands. " * 10
NEW_TEXT = f"Item 1 of {FIRST}.\n\n" + "Another text of the same item. " * 20


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new", "wins"),
    [
        ({"extraction_confidence": 0.9}, {"extraction_confidence": 0.95}, True),
        ({"extraction_confidence": 0.9}, {"extraction_confidence": 0.85}, False),
        ({"extraction_confidence": 0.9}, {"extraction_confidence": None}, False),
        ({"extraction_issues": '[{"code":"stub"}]'}, {"extraction_issues": "[]"}, True),
        ({"extraction_issues": "[]"}, {"extraction_issues": '[{"code":"stub"}]'}, False),
        ({"extraction_confidence": 0.8}, {"text": OLD[:-30], "extraction_confidence": 0.9}, True),
        ({"extraction_issues": '[{"a":1}]'}, {"text": OLD[:-30], "extraction_issues": "[]"}, True),
        ({}, {"text": OLD[:12], "extraction_confidence": 0.99}, False),  # the contents' line
        ({}, {"text": OLD + " Longer."}, True),
        ({}, {"text": OLD[:-5]}, False),
        ({}, {"text": OLD.upper(), "created_at": datetime(2025, 1, 1)}, True),
        ({}, {"text": OLD.upper(), "created_at": datetime(2020, 1, 1)}, False),
    ],
)
def test_quality_then_length_then_recency_decide(
    path: Path, old: dict[str, Any], new: dict[str, Any], wins: bool
) -> None:
    new = {"text": OLD, **new}
    standing = section_row(FIRST, *SECTION, text=OLD * 8 if len(new["text"]) < 20 else OLD) | old

    def change(connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute("DELETE FROM sections WHERE id = ?", [standing["id"]])
        connection.execute("DELETE FROM chunks WHERE section_id = ?", [standing["id"]])
        insert(connection, "sections", [standing])
        insert(connection, "chunks", chunk_rows(standing))
        text = new.pop("text")
        twin(connection, text, **new)
        new["content_text"] = text

    spoil(path, change)
    clean(path)
    kept = standing | (new if wins else {})
    found = rows(
        path,
        "SELECT content_text, extraction_confidence, extraction_issues, created_at FROM sections "
        f"WHERE id = '{standing['id']}'",
    )
    assert found == [
        (
            kept["content_text"],
            kept["extraction_confidence"],
            kept["extraction_issues"],
            kept["created_at"],
        )
    ]
    assert_flawless(path, gaps=True)


def test_what_stood_on_the_dropped_section_follows(path: Path) -> None:
    spoil(path, lambda connection: twin(connection, "A worse text.", extraction_confidence=0.1))
    report = clean(path)
    kept = model.section_id(FIRST, *SECTION)
    table = model.table_id(FIRST, 7)
    assert rows(path, f"SELECT section_id FROM tables WHERE id = '{table}'") == [(kept,)]
    assert rows(path, "SELECT footnote_id, table_id FROM footnotes WHERE marker = '(a)'") == [
        (model.footnote_id(FIRST, table, "(a)", 0), table)
    ]
    assert rows(path, "SELECT count(*) FROM chunks WHERE chunk_text LIKE 'A worse%'") == [(0,)]
    assert {r.reason for r in report.removals if r.lost} == {
        "a better text stands for this item",
        "it is from a text that a better one replaced",
    }
    assert_flawless(path, gaps=True)


@pytest.mark.slow
def test_a_better_section_brings_its_chunks(path: Path) -> None:
    spoil(path, lambda connection: twin(connection, NEW_TEXT, extraction_confidence=1.0))
    clean(path)
    kept = model.section_id(FIRST, *SECTION)
    found = rows(
        path,
        f"SELECT chunk_id, chunk_text, parent_chunk_id FROM chunks WHERE section_id = '{kept}' "
        "ORDER BY chunk_level, chunk_index",
    )
    parent = model.chunk_id(FIRST, *SECTION, 1, 0)
    assert found == [
        (parent, NEW_TEXT, None),
        *(
            (model.chunk_id(FIRST, *SECTION, 2, n), piece, parent)
            for n, piece in enumerate(NEW_TEXT.split("\n\n"))
        ),
    ]
    assert_flawless(path, gaps=True)


@pytest.mark.slow
def test_a_twin_with_the_same_text_leaves_its_chunks_to_a_section_without(path: Path) -> None:
    text = section_row(FIRST, *SECTION)["content_text"]
    kept = model.section_id(FIRST, *SECTION)

    def change(connection: duckdb.DuckDBPyConnection) -> None:
        twin(connection, text, extraction_confidence=0.1)
        connection.execute(f"DELETE FROM chunks WHERE section_id = '{kept}'")

    spoil(path, change)
    clean(path)
    assert rows(path, f"SELECT count(*) FROM chunks WHERE section_id = '{kept}'") == [(5,)]
    assert_flawless(path, gaps=True)


def test_two_tables_of_one_content_may_stand_in_one_filing(path: Path) -> None:
    spoil(path, "UPDATE tables SET table_data = '[]', table_markdown = NULL")
    before = content(path)
    assert clean(path).nothing
    assert content(path) == before


def test_sections_with_the_html_of_the_whole_body(path: Path) -> None:
    """The table of Item 7 was found in each of the three sections; its text tells where it is."""
    whole_html = "<html>" + "all of it " * 50 + "</html>"
    ids = {item: model.section_id(FIRST, part, item) for part, item in
           (("part_i", "item_1"), ("part_i", "item_1a"), ("part_ii", "item_7"))}  # fmt: skip

    def change(connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute("UPDATE sections SET content_html = ? "
                           "WHERE accession_number = ?", [whole_html, FIRST])  # fmt: skip
        connection.execute("DELETE FROM tables WHERE accession_number = ?", [FIRST])
        connection.execute("DELETE FROM footnotes WHERE accession_number = ?", [FIRST])
        copies = [table_row(FIRST, n, section) | {"table_data": '[["Net sales", "12,345", "9"]]'}
                  for n, section in enumerate(ids.values())]  # fmt: skip
        insert(connection, "tables", copies)
        insert(connection, "footnotes",
               [footnote_row(FIRST, copy["id"], "*", 0) for copy in copies])  # fmt: skip
        words = "Net sales\t12,345\t9\n"
        connection.execute("UPDATE sections SET content_text = ? || content_text WHERE id = ?",
                           [words, ids["item_7"]])  # fmt: skip
        connection.execute("UPDATE chunks SET char_end = char_end + 1 * length(?), char_start = "
                           "char_start + length(?) WHERE section_id = ?",
                           [words, words, ids["item_7"]])  # fmt: skip

    spoil(path, change)
    report = clean(path)
    first = f"WHERE accession_number = '{FIRST}'"
    assert rows(path, f"SELECT DISTINCT content_html FROM sections {first}") == [(None,)]
    issues = rows(path, f"SELECT extraction_issues FROM sections {first}")
    assert {json.loads(text)[0]["code"] for (text,) in issues} == {"html_of_whole_body"}
    assert rows(path, f"SELECT section_id FROM tables {first}") == [(ids["item_7"],)]
    assert rows(path, f"SELECT count(*) FROM footnotes {first}") == [(1,)]
    assert report.removed["tables: a copy of a table that stands, from another section"] == 2
    assert rows(path, "SELECT count(*) FROM sections WHERE content_html IS NOT NULL") == [(3,)]
    assert clean(path).nothing


@pytest.mark.slow
@pytest.mark.parametrize(
    ("statement", "removed", "gaps"),
    [
        (f"DELETE FROM filings WHERE accession_number = '{FIRST}'",
         {"filing_status": 4, "sections": 3, "tables": 2, "footnotes": 3, "chunks": 15}, False),
        ("DELETE FROM sections WHERE section_type = 'item_7'", {"chunks": 10}, True),
        ("DELETE FROM tables", {}, True),
        ("DELETE FROM chunks WHERE chunk_level = 1", {}, True),
    ],
)  # fmt: skip
def test_orphans_go_only_where_nothing_is_left_to_belong_to(
    path: Path, statement: str, removed: dict[str, int], gaps: bool
) -> None:
    spoil(path, statement)
    report = clean(path)
    by_table: dict[str, int] = {}
    for name, number in report.removed.items():
        table = name.partition(":")[0]
        by_table[table] = by_table.get(table, 0) + number
    assert by_table == removed
    assert read_health(path).orphans == 0
    assert clean(path).nothing
    assert bool(read_health(path).gaps) is gaps


@pytest.mark.slow
def test_a_kind_that_lost_all_its_rows_is_to_be_extracted_again(path: Path) -> None:
    spoil(path, f"DELETE FROM sections WHERE accession_number = '{FIRST}'")
    clean(path)
    status = rows(
        path,
        "SELECT status, row_count, content_hash FROM filing_status WHERE kind = 'chunks' "
        f"AND accession_number = '{FIRST}'",
    )
    assert status == [("pending", 0, None)]


@pytest.mark.slow
@pytest.mark.parametrize("table", ["sections", "tables", "footnotes", "chunks"])
def test_random_ids_become_hashes_and_relations_follow(path: Path, whole: Path, table: str) -> None:
    column = {"sections": "id", "tables": "id", "footnotes": "footnote_id", "chunks": "chunk_id"}
    links = {"sections": [("tables", "section_id"), ("footnotes", "section_id"),
                          ("chunks", "section_id")],
             "tables": [("footnotes", "table_id")], "footnotes": [],
             "chunks": [("chunks", "parent_chunk_id")]}[table]  # fmt: skip

    def change(connection: duckdb.DuckDBPyConnection) -> None:
        for child, link in links:
            connection.execute(f"UPDATE {child} SET {link} = md5({link})")
        connection.execute(f"UPDATE {table} SET {column[table]} = md5({column[table]})")

    spoil(path, change)
    clean(path)
    assert content(path) == content(whole)


@pytest.mark.slow
def test_a_dry_run_tells_the_same_and_changes_nothing(path: Path) -> None:
    spoil(path, lambda connection: twin(connection, "A worse text.", extraction_confidence=0.1))
    before = content(path)
    told = clean(path, dry_run=True)
    assert told.dry_run
    assert not told.nothing
    assert content(path) == before
    assert not (path.parent / "backups").exists()
    done = clean(path)
    same = {"before", "after", "removed", "changed", "removals"}
    assert done.model_dump(include=same) == told.model_dump(include=same)


@pytest.mark.slow
def test_the_backup_is_the_database_from_before(path: Path) -> None:
    spoil(path, "INSERT INTO sections FROM sections")
    before = content(path)
    report = clean(path)
    assert report.backup == str(path.parent / "backups" / "filings-20260102T030405.duckdb")
    assert content(Path(report.backup)) == before
    spoil(path, "INSERT INTO sections FROM sections")
    assert clean(path).backup != report.backup


def test_without_room_for_the_backup_nothing_is_changed(path: Path) -> None:
    spoil(path, "INSERT INTO sections FROM sections")
    before = content(path)
    blocked = path.parent / "a file"
    blocked.touch()
    with pytest.raises(OutreachError, match="cannot be written"):
        dedupe(path, dry_run=False, backups=blocked / "backups", now=NOW)
    assert content(path) == before


def test_a_backup_without_all_rows_stops_the_clean_up(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(path, "INSERT INTO sections FROM sections")
    before = content(path)
    monkeypatch.setattr(
        backup_module, "_STATEMENT", "COPY FROM DATABASE {source} TO {copy} (SCHEMA)"
    )
    with pytest.raises(IntegrityError, match="the backup holds 0 rows"):
        clean(path)
    assert content(path) == before
    assert list((path.parent / "backups").iterdir()) == []


def test_a_table_is_tied_only_where_one_text_alone_has_it() -> None:
    table = rows_of_table('[["Net sales", "12"], ["Total", "40"]]', None)
    words = {"a": " net sales 12 and total 40 ", "b": " net sales and total "}
    assert home_of(table, words) == "a"
    assert home_of(table, {**words, "c": words["a"]}) is None
    assert home_of(table, {"b": words["b"]}) is None
    assert home_of([], words) is None
    assert rows_of_table(None, "| Net sales | 12 |\n|---|---|") == [" net sales 12 "]
    assert rows_of_table('{"rows": [{"x": "Net sales", "y": 12}]}', None) == [" net sales 12 "]


@pytest.mark.slow
def test_an_error_in_the_midst_leaves_the_database_as_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(path, "INSERT INTO sections FROM sections")
    before = content(path)
    steps: list[bool] = []

    def fail_the_second_time(connection: duckdb.DuckDBPyConnection, **_: Any) -> dict[str, int]:
        steps.append(True)
        if len(steps) == 2:
            raise KeyboardInterrupt
        return {}

    monkeypatch.setattr(dedupe_module, "clean_chunks", fail_the_second_time)
    with pytest.raises(KeyboardInterrupt):
        clean(path)
    assert len(steps) == 2
    assert content(path) == before


@pytest.mark.slow
def test_the_order_of_rows_decides_nothing(path: Path, tmp_path: Path) -> None:
    for number, text in enumerate((OLD, OLD.upper(), OLD.lower())):
        spoil(path, lambda c, t=text, n=number: insert(
            c, "sections", [section_row(FIRST, *SECTION, text=t) | {"id": f"u{n}"}]))  # fmt: skip
    other = tmp_path / "other.duckdb"
    with closing(duckdb.connect(str(other))) as connection:
        connection.execute(f"ATTACH '{path}' AS a (READ_ONLY)")
        for table in COLUMNS:
            connection.execute(f"CREATE TABLE {table} AS FROM a.{table} LIMIT 0")
            connection.execute(f"INSERT INTO {table} FROM a.{table} ORDER BY rowid DESC")
    clean(path)
    clean(other)
    assert content(path) == content(other)


_KILLED = """
from datetime import datetime
from pathlib import Path
from outreach_platform.filings.dedupe import dedupe
print("ready", flush=True)
path = Path({path!r})
dedupe(path, dry_run=False, backups=path.parent / "backups", now=datetime(2026, 1, 1))
"""


@pytest.mark.slow
def test_killed_at_any_moment_the_database_is_as_before_or_clean(path: Path, whole: Path) -> None:
    spoil(path, "; ".join(f"INSERT INTO {table} FROM {table}" for table in COLUMNS))
    spoiled, clean_rows = path.read_bytes(), content(whole)
    before = content(path)
    for delay in (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.6):
        path.with_name(f"{path.name}.wal").unlink(missing_ok=True)
        path.write_bytes(spoiled)
        process = subprocess.Popen(
            [sys.executable, "-c", _KILLED.format(path=str(path))],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(delay)
        process.kill()
        process.wait()
        assert content(path) in (before, clean_rows)
        for copy in (path.parent / "backups").glob("*.duckdb"):
            assert content(copy) == before
    clean(path)
    assert content(path) == clean_rows
