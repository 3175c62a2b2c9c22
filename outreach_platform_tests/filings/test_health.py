"""A flawless database has no problem; each flaw that is planted is found, counted and named."""

import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from outreach_platform.filings.health import Health, problems, read_health, verdicts
from outreach_platform.foundation.errors import BusyError, OutreachError
from outreach_platform.settings_toml import FilingSettings
from outreach_platform_tests.filings.whole import FIRST, REFUSED, SECOND, whole_database

LIMITS = FilingSettings()
NAMES = [
    *("no_duplicates", "referential_integrity", "completeness"),
    *("coverage", "footnote_ceiling", "stable_ids"),
]


def spoil(path: Path, *statements: str) -> Health:
    with closing(duckdb.connect(str(path))) as connection:
        for statement in statements:
            connection.execute(statement)
    return read_health(path)


def failed(health: Health) -> set[str]:
    return {verdict.name for verdict in verdicts(health, LIMITS) if not verdict.passed}


def view(path: Path) -> dict[str, int]:
    with closing(duckdb.connect(str(path), read_only=True)) as connection:
        done = connection.execute("FROM data_health")
        row = done.fetchone()
        assert row is not None
        return dict(zip([column[0] for column in done.description], row, strict=True))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return whole_database(tmp_path_factory.mktemp("whole") / "filings.duckdb")


@pytest.fixture
def path(whole: Path, tmp_path: Path) -> Path:
    return shutil.copy(whole, tmp_path / "filings.duckdb")


def test_a_flawless_database_passes(path: Path) -> None:
    health = read_health(path)
    judged = verdicts(health, LIMITS)
    assert [verdict.name for verdict in judged] == NAMES
    assert all(verdict.passed for verdict in judged), judged
    assert problems(health, LIMITS) == []
    assert health.counts() | {"db_size": 0} == {
        **{f"filings_with_{kind}": 2 for kind in ("sections", "tables", "footnotes", "chunks")},
        "total_filings": 3,
        "duplicates": 0,
        "orphans": 0,
        "db_size": 0,
        "refused": 1,
        "pending": 0,
        "failures": 0,
        "gaps": 0,
        "uncovered": 0,
        "unresolved": 0,
    }
    assert health.db_size == path.stat().st_size
    assert health.refused == {"form 8-K is not extracted": 1}
    assert {(row.kind, row.year, row.filings, row.filled) for row in health.coverage} == {
        (kind, year, 1, 1)
        for kind in ("sections", "tables", "footnotes", "chunks")
        for year in (2023, 2024)
    }
    assert Health.model_validate_json(health.model_dump_json()) == health


def test_the_view_counts_the_same_and_knows_its_own_size(path: Path, tmp_path: Path) -> None:
    other = whole_database(tmp_path / "other.duckdb", (FIRST,))
    spoil(other, "INSERT INTO sections FROM sections LIMIT 1", "CREATE TABLE big AS FROM range(9)")
    here, there = view(path), view(other)
    counts = read_health(path).counts()
    assert here == {name: counts[name] for name in here}
    assert here["db_size"] == path.stat().st_size
    assert there["duplicates"] == 1
    with closing(duckdb.connect()) as connection:
        connection.execute(f"ATTACH '{path}' AS a (READ_ONLY); ATTACH '{other}' AS b (READ_ONLY)")
        for current in ("memory", "a", "b"):
            connection.execute(f"USE {current}")
            assert connection.execute("FROM a.data_health").fetchone() == tuple(here.values())
            assert connection.execute("FROM b.data_health").fetchone() == tuple(there.values())


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ("filings", "filings by accession_number"),
        ("filing_status", "filing_status by accession_number, kind"),
        ("sections", "sections by accession_number, section_part, section_type"),
        ("tables", "tables by accession_number, table_index"),
        ("footnotes", "footnotes by footnote_id"),
        ("chunks", "chunks by accession_number, section_part, section_type, chunk_level, "
         "chunk_index"),
    ],
)  # fmt: skip
def test_a_planted_twin_is_found(path: Path, table: str, key: str) -> None:
    health = spoil(path, f"INSERT INTO {table} FROM {table} LIMIT 1")
    assert health.duplicates == view(path)["duplicates"] == 1
    assert health.duplicates_by[key] == 1
    assert "no_duplicates" in failed(health)
    assert any("stand twice" in sentence for sentence in problems(health, LIMITS))


def test_an_id_that_two_keys_share_is_found(path: Path) -> None:
    health = spoil(path, "UPDATE tables SET id = (SELECT min(id) FROM tables)")
    assert health.duplicates == 0
    assert health.duplicates_by == {"tables by id": 3}
    assert {"no_duplicates", "stable_ids"} <= failed(health)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("statement", "found"),
    [
        (f"DELETE FROM filings WHERE accession_number = '{FIRST}'",
         {"filing_status without filing": 4, "sections without filing": 3,
          "tables without filing": 2, "footnotes without filing": 3, "chunks without filing": 15}),
        ("DELETE FROM sections WHERE section_type = 'item_7'",
         {"tables without section": 4, "chunks without section": 10}),
        ("DELETE FROM sections WHERE section_type = 'item_1a'",
         {"footnotes without section": 2, "chunks without section": 10}),
        ("DELETE FROM tables WHERE table_index = 0", {"footnotes without table": 4}),
        ("DELETE FROM chunks WHERE chunk_level = 1", {"chunks without parent": 24}),
        # The row is there, but it is another filing's.
        (f"UPDATE tables SET section_id = (SELECT min(id) FROM sections WHERE "
         f"accession_number = '{SECOND}') WHERE accession_number = '{FIRST}' AND table_index = 1",
         {"tables without section": 1}),
    ],
)  # fmt: skip
def test_planted_orphans_are_found(path: Path, statement: str, found: dict[str, int]) -> None:
    health = spoil(path, statement)
    assert health.orphans_by == found
    assert health.orphans == view(path)["orphans"] == sum(found.values())
    assert "referential_integrity" in failed(health)


def test_an_orphan_of_two_sorts_counts_once_in_the_sum(path: Path) -> None:
    health = spoil(path, "DELETE FROM filings", "DELETE FROM sections", "DELETE FROM tables")
    assert health.orphans == view(path)["orphans"] == 8 + 6 + 30


@pytest.mark.slow
@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        (f"DELETE FROM filing_status WHERE accession_number = '{FIRST}' AND kind = 'tables'",
         "pending"),
        (f"UPDATE filing_status SET status = 'failed', error = 'it hung' "
         f"WHERE accession_number = '{FIRST}' AND kind = 'tables'", "failed"),
        (f"DELETE FROM tables WHERE accession_number = '{FIRST}'",
         "status says done, no row stands"),
        (f"DELETE FROM tables WHERE accession_number = '{FIRST}' AND table_index = 1",
         "other rows than the status counts"),
        (f"UPDATE filing_status SET status = 'empty' "
         f"WHERE accession_number = '{FIRST}' AND kind = 'tables'",
         "status says empty, rows stand"),
    ],
)  # fmt: skip
def test_gaps_are_told_with_their_reason(path: Path, statement: str, reason: str) -> None:
    health = spoil(path, statement)
    assert [(gap.accession_number, gap.kind, gap.reason) for gap in health.gaps] == [
        (FIRST, "tables", reason)
    ]
    assert "completeness" in failed(health)
    assert health.pending == ({"tables": 1} if reason == "pending" else {})
    assert [f.error for f in health.failures] == (["it hung"] if reason == "failed" else [])
    assert FIRST in " ".join(problems(health, LIMITS))


def test_a_filing_without_tables_may_be_complete(path: Path) -> None:
    health = spoil(
        path,
        "DELETE FROM footnotes",
        "DELETE FROM tables",
        "UPDATE filing_status SET status = 'empty', row_count = 0 "
        "WHERE kind IN ('tables', 'footnotes')",
    )
    assert health.gaps == []
    assert failed(health) == set()
    assert health.filings_with_tables == 0


@pytest.mark.slow
def test_a_refused_filing_is_no_gap_and_a_share_below_the_limit_is_told(path: Path) -> None:
    health = read_health(path)
    assert REFUSED not in {gap.accession_number for gap in health.gaps}
    bare = spoil(
        path,
        *(f"DELETE FROM {table}" for table in ("sections", "tables", "footnotes", "chunks")),
        "UPDATE filing_status SET status = 'empty', row_count = 0",
    )
    assert {gap.reason for gap in bare.gaps} == {"nothing found"}
    (said,) = [v for v in verdicts(bare, LIMITS) if v.name == "completeness"]
    assert "only 0% of 2 filings have sections" in said.description


@pytest.mark.slow
@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("DELETE FROM chunks WHERE chunk_level = 1 AND section_type = 'item_1'",
         "no chunk of level 1"),
        ("DELETE FROM chunks WHERE chunk_level = 2 AND section_type = 'item_1'",
         "no chunk of level 2"),
        ("DELETE FROM chunks WHERE chunk_level = 2 AND chunk_index = 0 "
         "AND section_type = 'item_1'", "between chunks of level 2"),
        ("DELETE FROM chunks WHERE chunk_level = 2 AND chunk_index = 1 "
         "AND section_type = 'item_1'", "between chunks of level 2"),
        ("DELETE FROM chunks WHERE chunk_level = 2 AND chunk_index = 3 "
         "AND section_type = 'item_1'", "between chunks of level 2"),
        ("UPDATE chunks SET char_end = char_end - 5 WHERE chunk_level = 1 "
         "AND section_type = 'item_1'", "between chunks of level 1"),
    ],
)  # fmt: skip
def test_text_outside_of_chunks_is_found(path: Path, statement: str, reason: str) -> None:
    health = spoil(path, statement)
    assert health.uncovered == 2
    assert all(place.reason.endswith(reason) for place in health.uncovered_examples)
    assert {place.section_type for place in health.uncovered_examples} == {"item_1"}
    assert "coverage" in failed(health)


def test_chunks_that_wait_to_be_made_anew_may_leave_text_out_but_not_lie(path: Path) -> None:
    waiting = "UPDATE filing_status SET status = 'pending' WHERE kind = 'chunks'"
    health = spoil(path, waiting, "DELETE FROM chunks WHERE chunk_level = 2")
    assert (health.uncovered, health.unresolved) == (0, 0)
    assert health.pending == {"chunks": 2}
    assert failed(health) == {"completeness"}
    lying = spoil(path, "UPDATE chunks SET chunk_text = 'other words'")
    assert lying.unresolved == 6
    assert "coverage" in failed(lying)


def test_a_chunk_inside_another_hides_nothing_and_uncovers_nothing(path: Path) -> None:
    inside = "SELECT * REPLACE (9 AS chunk_index, md5(chunk_id) AS chunk_id, char_start + 2 AS " \
        "char_start, char_start + 5 AS char_end, substring(chunk_text, 3, 3) AS chunk_text) " \
        "FROM chunks WHERE chunk_level = 2 AND chunk_index = 1"  # fmt: skip
    health = spoil(path, f"INSERT INTO chunks BY NAME {inside}")
    assert (health.uncovered, health.unresolved) == (0, 0)


def test_a_chunk_is_no_parent_of_its_own_level(path: Path) -> None:
    health = spoil(path, "UPDATE chunks SET parent_chunk_id = chunk_id WHERE chunk_level = 2")
    assert health.orphans_by == {"chunks without parent": 24}


def test_white_space_needs_no_chunk(path: Path) -> None:
    blank = "chr(160) || chr(8195) || chr(10) || chr(133) || chr(12288)"
    health = spoil(
        path,
        f"UPDATE sections SET content_text = content_text || {blank}",
        f"INSERT INTO sections BY NAME SELECT * REPLACE (md5(id) AS id, 'item_16' AS "
        f"section_type, {blank} AS content_text) FROM sections LIMIT 1",
    )
    assert health.uncovered == 0
    seen = spoil(path, "UPDATE sections SET content_text = content_text || chr(8203) || '.'")
    assert seen.uncovered == 7


@pytest.mark.slow
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE chunks SET char_start = char_start + 1, char_end = char_end + 1 "
        "WHERE chunk_level = 2 AND chunk_index = 1",
        "UPDATE chunks SET chunk_text = upper(chunk_text) WHERE chunk_level = 2 "
        "AND chunk_index = 1",
        "UPDATE chunks SET chunk_text = chunk_text || ' ' WHERE chunk_level = 2 "
        "AND chunk_index = 1",
    ],
)
def test_a_citation_that_gives_other_text_is_found(path: Path, statement: str) -> None:
    health = spoil(path, statement)
    assert health.unresolved == 6
    assert health.unresolved_examples[0].reason.startswith("chunk 1 of level 2 is not the text at")
    assert "coverage" in failed(health)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("sections", "id"),
        ("tables", "id"),
        ("footnotes", "footnote_id"),
        ("chunks", "chunk_id"),
    ],
)
def test_an_id_that_is_no_hash_of_its_key_is_found(path: Path, table: str, column: str) -> None:
    health = spoil(path, f"UPDATE {table} SET {column} = uuid()::VARCHAR")
    rows = {"sections": 6, "tables": 4, "footnotes": 6, "chunks": 30}
    assert health.unstable_ids == {table: rows[table]}
    assert "stable_ids" in failed(health)


def test_too_many_footnotes_in_one_filing_warn(path: Path) -> None:
    health = read_health(path)
    assert health.most_footnotes == 3
    by_name = {v.name: v for v in verdicts(health, FilingSettings(footnote_ceiling=2))}
    assert not by_name["footnote_ceiling"].passed
    assert not by_name["footnote_ceiling"].blocking
    assert FIRST in by_name["footnote_ceiling"].description
    assert verdicts(health, FilingSettings(footnote_ceiling=3))[4].passed


def test_what_an_older_parser_read_is_told(path: Path) -> None:
    health = spoil(path, "UPDATE filing_status SET parser_version = '0' WHERE kind = 'chunks'")
    assert health.stale == {"chunks": 2}
    assert any("older parser" in sentence for sentence in problems(health, LIMITS))
    assert failed(health) == set()


def test_a_missing_and_a_foreign_file_are_told(tmp_path: Path) -> None:
    with pytest.raises(OutreachError, match="no filings database at"):
        read_health(tmp_path / "none.duckdb")
    foreign = tmp_path / "foreign.duckdb"
    with closing(duckdb.connect(str(foreign))) as connection:
        connection.execute("CREATE TABLE filings (accession_number VARCHAR)")
    with pytest.raises(OutreachError, match=r"lacks filings\.cik"):
        read_health(foreign)
    torn = tmp_path / "torn.duckdb"
    torn.write_bytes(b"no database")
    with pytest.raises(OutreachError, match=r"torn\.duckdb"):
        read_health(torn)


def test_reading_changes_nothing_and_needs_no_right_to_write(path: Path) -> None:
    before = path.read_bytes()
    path.chmod(0o444)
    path.parent.chmod(0o555)
    try:
        read_health(path)
    finally:
        path.parent.chmod(0o755)
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.slow
def test_a_database_that_another_process_writes_is_busy(path: Path) -> None:
    code = f"import duckdb; c = duckdb.connect({str(path)!r}); print('open', flush=True); input()"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "open\n"
        with pytest.raises(BusyError, match="close it there"):
            read_health(path)
    finally:
        process.communicate("\n")
    read_health(path)
