"""A foreign database comes in whole: cleaned, with our ids, and with a list of what is missing."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from outreach_platform.filings import foreign_merge, model
from outreach_platform.filings.compact import compact
from outreach_platform.filings.database import writer
from outreach_platform.filings.dedupe import find_duplicates
from outreach_platform.filings.foreign import ImportReport, describe, import_foreign
from outreach_platform.filings.foreign_values import cast_sql, form_sql, item_sql, part_sql
from outreach_platform.filings.health import Health, problems, read_health, verdicts
from outreach_platform.filings.layout import FilingFolder
from outreach_platform.filings.plan import plan
from outreach_platform.filings.schema import COLUMNS
from outreach_platform.foundation.errors import OutreachError, UsageError
from outreach_platform.settings_toml import FilingSettings
from outreach_platform_tests.filings.whole import FIRST, filing_rows, insert, whole_database
from outreach_platform_tests.support.predecessor import (
    FILINGS,
    SECTIONS,
    TWINS,
    WITH_CHUNKS,
    WITH_TABLES,
    build_predecessor,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ANNUAL, QUARTER, OTHER = "0000000007-21-000001", "0000000007-21-000002", "0000000007-21-000003"


@pytest.fixture
def folder(tmp_path: Path) -> FilingFolder:
    return FilingFolder(tmp_path / "data")


def bring(source: Path, folder: FilingFolder) -> ImportReport:
    with writer(folder) as connection:
        return import_foreign(source, connection, now=NOW)


def rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(duckdb.connect(str(path), read_only=True)) as connection:
        return connection.execute(query).fetchall()


def content(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    return {table: rows(path, f"FROM {table} ORDER BY ALL") for table in COLUMNS}


def failed(health: Health) -> set[str]:
    return {v.name for v in verdicts(health, FilingSettings()) if not v.passed}


@contextmanager
def foreign(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A small foreign database: a 10-K, a 10-Q without dashes, and an 8-K."""
    with closing(duckdb.connect(str(path))) as connection:
        connection.execute(
            f"""CREATE TABLE filings AS SELECT * FROM (VALUES
                ('{ANNUAL}', 7, '10-k', '2021-03-01', 'raw/a.htm'),
                ('{QUARTER.replace("-", "")}', 7, '10-Q', '2021-08-01', NULL),
                ('{OTHER}', 7, '8-K', '2021-09-01', NULL)
                ) t(accession_number, cik, form_type, filing_date, local_path);
            CREATE TABLE sections (id UUID, accession_number VARCHAR, section_type VARCHAR,
                section_title VARCHAR, section_part VARCHAR, content_text VARCHAR,
                content_html VARCHAR, extraction_confidence FLOAT, created_at TIMESTAMPTZ,
                embedding FLOAT[]);
            CREATE TABLE tables (id UUID, accession_number VARCHAR, section_id UUID,
                table_index INTEGER, table_data VARCHAR);
            CREATE TABLE chunks (chunk_id UUID, accession_number VARCHAR, section_id UUID,
                parent_chunk_id UUID, chunk_level VARCHAR, chunk_index INTEGER,
                chunk_text VARCHAR, char_start INTEGER, char_end INTEGER)"""
        )
        yield connection


def add_section(
    connection: duckdb.DuckDBPyConnection,
    item: str,
    text: str | None,
    *,
    accession: str = ANNUAL,
    **more: Any,
) -> str:
    values = {"accession_number": accession, "section_type": item, "content_text": text, **more}
    (found,) = connection.execute(
        f"INSERT INTO sections (id, {', '.join(values)}) VALUES "
        f"(uuid(), {', '.join('?' for _ in values)}) RETURNING id::VARCHAR",
        list(values.values()),
    ).fetchone() or ("",)
    return found


@pytest.mark.slow
def test_the_documented_rescue(tmp_path: Path, folder: FilingFolder) -> None:
    """213 filings, 1,518 sections of which 421 doubled, tables once a section."""
    source = tmp_path / "old" / "filings.duckdb"
    source.parent.mkdir()
    built = build_predecessor(source, factor=0.05, html=20_000)
    assert (built.rows["filings"], built.rows["sections"]) == (FILINGS, SECTIONS)
    before = source.read_bytes()
    report = bring(source, folder)
    packed = compact(folder.writer, now=NOW)
    assert source.read_bytes() == before
    health = read_health(folder.writer)
    assert health.counts() | {"db_size": 0} == {
        "filings_with_sections": FILINGS, "filings_with_tables": WITH_TABLES,
        "filings_with_footnotes": WITH_TABLES, "filings_with_chunks": WITH_CHUNKS,
        "total_filings": FILINGS, "duplicates": 0, "orphans": 0, "db_size": 0, "refused": 0,
        "pending": 2 * (FILINGS - WITH_TABLES) + FILINGS, "failures": 0,
        "gaps": 2 * (FILINGS - WITH_TABLES) + FILINGS, "uncovered": 0, "unresolved": 0,
    }  # fmt: skip
    assert failed(health) == {"completeness"}
    assert report.after["sections"] == SECTIONS - TWINS == 1097
    assert report.after["tables"] == built.distinct_tables
    assert packed.after * 4 <= len(before)
    assert rows(folder.writer, "SELECT count(content_html) FROM sections") == [(0,)]
    # No section is the contents' line that stood beside it.
    assert rows(folder.writer, "SELECT min(length(content_text)) > 1000 FROM sections") == [(True,)]
    accessions = [row[0] for row in rows(folder.writer, "SELECT accession_number FROM filings")]
    assert sorted(accessions) == sorted(built.accessions)
    assert "144 without tables" in " ".join(report.problems)
    assert problems(health, FilingSettings())


@pytest.mark.slow
def test_a_second_import_and_a_clean_up_have_nothing_to_do(
    tmp_path: Path, folder: FilingFolder
) -> None:
    source = tmp_path / "filings.duckdb"
    build_predecessor(source, factor=0.02, html=5_000)
    bring(source, folder)
    before = content(folder.writer)
    again = bring(source, folder)
    assert again.set_aside == {}
    assert sum(again.after.values()) == 0
    assert content(folder.writer) == before
    with writer(folder) as connection:
        assert find_duplicates(connection).nothing
    other = FilingFolder(tmp_path / "other")
    bring(source, other)
    assert content(other.writer) == before


def test_ids_and_relations_come_from_natural_keys(tmp_path: Path, folder: FilingFolder) -> None:
    source = tmp_path / "old.duckdb"
    text = "Item 7. We did well 😀 this year.\nSales 12 3\n"
    with foreign(source) as connection:
        section = add_section(connection, "Item 7", text, section_part="PART II")
        connection.execute(
            f"""INSERT INTO tables VALUES (uuid(), '{ANNUAL}', '{section}', 0, '[["Sales", "12"]]');
            INSERT INTO chunks VALUES
                ('{section}', '{ANNUAL}', '{section}', NULL, 'section', 0, '{text}', NULL, NULL);
            INSERT INTO chunks VALUES (uuid(), '{ANNUAL}', '{section}', '{section}', 'topic', 5,
                'We did well 😀', 99, 120)"""
        )
    report = bring(source, folder)
    ours = model.section_id(ANNUAL, "part_ii", "item_7")
    assert rows(folder.writer, "SELECT id, section_number, content_hash FROM sections") == [
        (ours, "7", model.content_hash(text))
    ]
    assert rows(folder.writer, "SELECT id, section_id FROM tables") == [
        (model.table_id(ANNUAL, 0), ours)
    ]
    key = (ANNUAL, "part_ii", "item_7")
    assert rows(
        folder.writer,
        "SELECT chunk_id, section_id, parent_chunk_id, char_start, char_end FROM chunks "
        "ORDER BY chunk_level",
    ) == [
        (model.chunk_id(*key, 1, 0), ours, None, 0, len(text)),
        (model.chunk_id(*key, 2, 5), ours, model.chunk_id(*key, 1, 0), 8, 21),
    ]
    assert rows(folder.writer, "SELECT cik, form_type, filing_date, filing_year, local_path, "
                f"warnings FROM filings WHERE accession_number = '{ANNUAL}'") == [
        ("0000000007", "10-K", date(2021, 3, 1), 2021, None,
         '["the predecessor kept it as raw/a.htm"]')
    ]  # fmt: skip
    assert report.gaps == {"sections": 1, "tables": 1, "footnotes": 2, "chunks": 2}
    assert failed(read_health(folder.writer)) <= {"completeness"}


def test_the_parts_of_a_quarterly_report_are_told_by_title_then_by_order(
    tmp_path: Path, folder: FilingFolder
) -> None:
    source = tmp_path / "old.duckdb"
    bare = QUARTER.replace("-", "")
    with foreign(source) as connection:
        for item, title, text in (
            ("item_1", "Legal Proceedings", "None."),
            ("item_1", "Financial Statements", "Balance sheets."),
            ("item_2", None, "Item 2. Unregistered Sales of Equity Securities\nNone."),
            ("item_2", None, "Item 2. Management\u2019s Discussion and Analysis\nWell."),
            ("item_4", None, "First of two."),
            ("item_4", None, "Second of two."),
            ("item_4", None, "First of two."),
            ("item_6", None, "Exhibits."),
        ):
            add_section(connection, item, text, accession=bare, section_title=title)
    report = bring(source, folder)
    found = rows(folder.writer, "SELECT section_part, section_type, content_text FROM sections")
    assert sorted((part, item, text.split("\n")[-1]) for part, item, text in found) == [
        ("part_i", "item_1", "Balance sheets."),
        ("part_i", "item_2", "Well."),
        ("part_i", "item_4", "First of two."),
        ("part_ii", "item_1", "None."),
        ("part_ii", "item_2", "None."),
        ("part_ii", "item_4", "Second of two."),
        ("part_ii", "item_6", "Exhibits."),
    ]
    assert report.removed == {"sections: the same text stands for this item": 1}


def test_what_cannot_be_placed_is_kept_aside_with_its_reason(
    tmp_path: Path, folder: FilingFolder
) -> None:
    source = tmp_path / "old.duckdb"
    with foreign(source) as connection:
        kept = add_section(connection, "item_7", "The text of it.")
        add_section(connection, "signatures", "Signed.")
        add_section(connection, "item_1", None)
        add_section(connection, "item_2", "Lost.", accession="0000000009-21-000009")
        add_section(connection, "item_2", "Torn.", accession="not a number")
        add_section(connection, "item_2", "A current report.", accession=OTHER)
        connection.execute(
            f"""INSERT INTO chunks VALUES (uuid(), '{ANNUAL}', '{kept}', NULL, '2', 0,
                'words that stand nowhere', 0, 24);
            INSERT INTO chunks VALUES (uuid(), '{ANNUAL}', uuid(), NULL, '2', 1, 'The text', 0, 8)
            """
        )
    report = bring(source, folder)
    assert report.before["sections"] == 6
    assert report.after["sections"] == 1
    assert report.set_aside == {"sections": 5, "chunks": 2}
    assert report.aside == str(folder.work / "quarantine" / "import-20260102T030405")
    aside = {
        table: set(pq.read_table(f"{report.aside}/{table}.parquet")["reason"].to_pylist())
        for table in ("sections", "chunks")
    }
    assert aside == {
        "sections": {
            "its item is not known",
            "it has no text",
            "its filing is not registered",
            "its filing's form is not extracted",
        },
        "chunks": {"its text does not stand in its section", "its section does not stand"},
    }
    assert rows(folder.writer, "SELECT refused FROM filings WHERE form_type = '8-K'") == [
        ("form 8-K is not extracted",)
    ]
    health = read_health(folder.writer)
    assert (health.orphans, health.unresolved) == (0, 0)


@pytest.mark.slow
def test_a_filing_that_was_extracted_here_keeps_our_rows(
    tmp_path: Path, folder: FilingFolder
) -> None:
    with writer(folder) as connection:
        for table, found in filing_rows(ANNUAL).items():
            insert(connection, table, found)
    before = content(folder.writer)
    source = tmp_path / "old.duckdb"
    with foreign(source) as connection:
        add_section(connection, "item_9", "A foreign text.")
    report = bring(source, folder)
    assert report.removed == {"sections: its filing was extracted here": 1}
    after = content(folder.writer)
    for kind in model.KINDS:
        assert after[kind] == before[kind]
    ours = [row for row in after["filing_status"] if row[0] == ANNUAL]
    assert ours == before["filing_status"]


@pytest.mark.slow
def test_a_filing_that_is_only_registered_here_takes_foreign_rows(
    tmp_path: Path, folder: FilingFolder
) -> None:
    with writer(folder) as connection:
        insert(connection, "filings", filing_rows(FIRST)["filings"])
    source = tmp_path / "old.duckdb"
    with foreign(source) as connection:
        add_section(connection, "item_7", "A foreign text.", accession=FIRST)
    report = bring(source, folder)
    assert report.after["sections"] == 1
    status = dict(rows(folder.writer, "SELECT kind, status FROM filing_status "
                       f"WHERE accession_number = '{FIRST}'"))  # fmt: skip
    assert status == {"sections": "done", **dict.fromkeys(model.KINDS[1:], "pending")}


@pytest.mark.slow
def test_an_error_in_the_transaction_leaves_ours_as_it_was(
    tmp_path: Path, folder: FilingFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "old.duckdb"
    with foreign(source) as connection:
        add_section(connection, "item_7", "A foreign text.")
    with writer(folder):
        pass
    before = content(folder.writer)

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(foreign_merge, "_insert_status", fail)
    with pytest.raises(KeyboardInterrupt):
        bring(source, folder)
    assert content(folder.writer) == before
    monkeypatch.undo()
    assert bring(source, folder).after["sections"] == 1


def test_a_filing_waits_for_its_raw_file(tmp_path: Path, folder: FilingFolder) -> None:
    source = tmp_path / "old.duckdb"
    with foreign(source) as connection:
        add_section(connection, "item_7", "A foreign text.")
    bring(source, folder)
    with writer(folder) as connection:
        assert plan(connection, mode="missing") == []
        with pytest.raises(UsageError, match="imported without the raw file"):
            plan(connection, mode="missing", accessions=[ANNUAL])
        connection.execute("UPDATE filings SET local_path = 'filings/a.htm', content_hash = 'h' "
                           "WHERE accession_number = ?", [ANNUAL])  # fmt: skip
        (waiting,) = plan(connection, mode="missing")
        assert (waiting.meta.accession_number, waiting.kinds) == (ANNUAL, model.KINDS)


def test_what_a_database_holds_is_described(tmp_path: Path) -> None:
    source = tmp_path / "old.duckdb"
    with foreign(source) as connection:
        add_section(connection, "item_7", "A foreign text.")
    found = describe(source)
    assert found.rows == {"filings": 3, "sections": 1, "tables": 0, "chunks": 0}
    assert found.missing == ["filing_status", "footnotes"]
    assert found.unknown == ["sections.embedding"]


@pytest.mark.slow
def test_other_files_are_refused(tmp_path: Path, folder: FilingFolder) -> None:
    other = tmp_path / "other.duckdb"
    with closing(duckdb.connect(str(other))) as connection:
        connection.execute("CREATE TABLE people (name VARCHAR)")
    torn = tmp_path / "torn.duckdb"
    torn.write_bytes(b"no database")
    with pytest.raises(UsageError, match="is no filings database: it has people"):
        bring(other, folder)
    with pytest.raises(UsageError, match="no database at"):
        bring(tmp_path / "none.duckdb", folder)
    with pytest.raises(OutreachError, match=r"torn\.duckdb"):
        bring(torn, folder)
    with writer(folder) as connection, pytest.raises(OutreachError, match=r"own database|open"):
        import_foreign(folder.writer, connection, now=NOW)


@pytest.mark.slow
def test_another_copy_of_our_own_schema_comes_in(tmp_path: Path, folder: FilingFolder) -> None:
    source = whole_database(tmp_path / "copy.duckdb")
    report = bring(source, folder)
    assert report.removed == {}
    ours, theirs = content(folder.writer), content(source)
    for kind in model.KINDS:
        without = {"sections": {"contains_tables", "contains_footnotes", "word_count"}}
        keep = [n for n, c in enumerate(COLUMNS[kind]) if c not in without.get(kind, set())]
        assert [[row[n] for n in keep] for row in ours[kind]] == [
            [row[n] for n in keep] for row in theirs[kind]
        ]
    assert failed(read_health(folder.writer)) == set()


@pytest.mark.parametrize(
    ("expression", "value", "expected"),
    [
        (item_sql, "Item 1A.", "item_1a"),
        (item_sql, "ITEM_7", "item_7"),
        (item_sql, "item 9(a)", "item_9a"),
        (item_sql, "item_14", "item_14"),
        (item_sql, "15", "item_15"),
        (item_sql, "part_ii_item_1", None),
        (item_sql, "exhibits", None),
        (item_sql, "item_101", None),
        (part_sql, "Part II", "part_ii"),
        (part_sql, "PART_4.", "part_iv"),
        (part_sql, "i", "part_i"),
        (part_sql, "part v", None),
        (form_sql, "10k405/a", "10-K405/A"),
        (form_sql, " 10-q ", "10-Q"),
        (form_sql, "", None),
        (lambda c: cast_sql(c, "VARCHAR", "TIMESTAMP"), "2024-01-01T02:00:00+02:00",
         datetime(2024, 1, 1)),
        (lambda c: cast_sql(c, "VARCHAR", "TIMESTAMP"), "2024-01-01 02:00:00",
         datetime(2024, 1, 1, 2)),
        (lambda c: cast_sql(c, "BIGINT", "TIMESTAMP"), 1704067200, datetime(2024, 1, 1)),
        (lambda c: cast_sql(c, "BIGINT", "TIMESTAMP"), 1704067200000, datetime(2024, 1, 1)),
        (lambda c: cast_sql(c, "VARCHAR", "DATE"), "20240102", date(2024, 1, 2)),
        (lambda c: cast_sql(c, "VARCHAR", "DATE"), "soon", None),
        (lambda c: cast_sql(c, "VARCHAR", "JSON"), '[["a", 1]]', '[["a", 1]]'),
        (lambda c: cast_sql(c, "VARCHAR", "JSON"), "not json", json.dumps("not json")),
        (lambda c: cast_sql(c, "VARCHAR", "JSON"), "", None),
    ],
)  # fmt: skip
def test_values_as_ours_write_them(expression: Any, value: Any, expected: Any) -> None:
    with closing(duckdb.connect()) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        found = connection.execute(
            f"SELECT {expression('v')} FROM (SELECT ? AS v)", [value]
        ).fetchone()
    assert found == (expected,)


def add_table(
    connection: duckdb.DuckDBPyConnection, section: str, index: int | None, *cells: str
) -> None:
    connection.execute(
        "INSERT INTO tables VALUES (uuid(), ?, ?, ?, ?)",
        [ANNUAL, section, index, json.dumps([list(cells)])],
    )


@pytest.mark.slow
def test_tables_found_once_a_section_without_html_to_tell_it(
    tmp_path: Path, folder: FilingFolder
) -> None:
    """Three sections list the same three tables, two of which are alike, from 0 in each."""
    source = tmp_path / "old.duckdb"
    with foreign(source) as connection:
        texts = {
            "item_7": "Sales\t1,200\nOther\t7\nSales\t1,200\n",
            "item_8": "Total assets 9,876\n",
            "item_1": "Nothing but words.\n",
        }
        for item, text in texts.items():
            section = add_section(connection, item, text)
            for index, cells in enumerate(
                (("Sales", "1,200"), ("Total assets", "9,876"), ("Sales", "1,200"))
            ):
                add_table(connection, section, index, *cells)
    report = bring(source, folder)
    found = rows(
        folder.writer,
        "SELECT table_index, table_data::VARCHAR, section_type FROM tables t "
        "JOIN sections s ON s.id = t.section_id ORDER BY 1",
    )
    assert found == [
        (0, '[["Sales", "1,200"]]', "item_7"),
        (1, '[["Total assets", "9,876"]]', "item_8"),
        (2, '[["Sales", "1,200"]]', "item_7"),
    ]
    assert sum(report.removed.values()) == 6


@pytest.mark.slow
def test_different_tables_that_share_numbers_are_numbered_anew(
    tmp_path: Path, folder: FilingFolder
) -> None:
    source = tmp_path / "old.duckdb"
    with foreign(source) as connection:
        for item in ("item_7", "item_8"):
            section = add_section(connection, item, f"The text of {item}.")
            add_table(connection, section, 1, item, "second")
            add_table(connection, section, 0, item, "first")
            add_table(connection, section, 0, item, "first")
            add_table(connection, section, None, item, "unnumbered")
    bring(source, folder)
    assert rows(
        folder.writer,
        "SELECT t.table_index, section_type, table_data->>'$[0][1]' FROM tables t "
        "JOIN sections s ON s.id = t.section_id ORDER BY 1",
    ) == [
        (number, item, which)
        for number, (item, which) in enumerate(
            (item, which)
            for item in ("item_7", "item_8")
            for which in ("first", "second", "unnumbered")
        )
    ]
    assert failed(read_health(folder.writer)) <= {"completeness"}
