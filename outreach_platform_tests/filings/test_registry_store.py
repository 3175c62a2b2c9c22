from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from outreach_platform.filings.layout import FilingFolder
from outreach_platform.filings.metadata import read_meta
from outreach_platform.filings.registry import register, registered
from outreach_platform.filings.registry_store import copy_name, inside, relative, store
from outreach_platform.filings.schema import create_sql
from outreach_platform.foundation.errors import IntegrityError
from outreach_platform.foundation.lake import sha256_of
from outreach_platform_tests.filings.written import ACCESSION, page, put, submission

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "packed", "copy"),
    [
        ("full-submission.txt", False, ".txt"),
        ("x.TXT.gz", True, ".txt.gz"),
        ("x.html", False, ".htm"),
        ("x.htm", True, ".htm.gz"),
        ("filing", False, ".htm"),
    ],
)
def test_copies_are_named_by_number_and_kind(name: str, packed: bool, copy: str) -> None:
    assert copy_name(ACCESSION, Path(name), packed=packed) == f"{ACCESSION}{copy}"


def test_a_link_in_the_folder_is_not_inside(tmp_path: Path) -> None:
    folder = FilingFolder(tmp_path / "data")
    outside = put(tmp_path / "x.htm", page())
    own = put(folder.raw / "y.htm", page())
    (folder.raw / "link.htm").symlink_to(outside)
    assert inside(folder, own)
    assert relative(folder, own) == "filings/y.htm"
    assert not inside(folder, folder.raw / "link.htm")


def test_a_file_that_changes_while_it_is_read_is_not_taken(tmp_path: Path) -> None:
    folder = FilingFolder(tmp_path / "data")
    path = put(tmp_path / f"{ACCESSION}.htm", page())
    meta, judged = read_meta(page(), path), sha256_of(path)
    put(path, page(company="Another"))
    with pytest.raises(IntegrityError, match="changed while it was read"):
        store(folder, path, judged, meta, None)
    assert list(folder.raw.iterdir()) == []


def test_a_run_killed_between_copy_and_row_is_healed_by_the_next(tmp_path: Path) -> None:
    folder = FilingFolder(tmp_path / "data")
    path = put(tmp_path / f"{ACCESSION}.htm", page())
    with duckdb.connect(str(tmp_path / "writer.duckdb")) as connection:
        connection.execute(create_sql("filings"))
        register(connection, folder, [path], now=NOW)
        (before,) = registered(connection)
        # As far as a run comes that is killed before its transaction.
        put(path, submission())
        store(folder, path, sha256_of(path), read_meta(submission(), path), before)
        assert registered(connection) == [before]
        report = register(connection, folder, [folder.raw], now=NOW)
        (after,) = registered(connection)
    assert report.updated == [ACCESSION]
    assert after.content_hash == read_meta(submission(), path).content_hash
    kept = folder.raw / f"{ACCESSION}.htm.{(before.content_hash or '')[:8]}.bak"
    assert kept.read_bytes() == page()
    assert (folder.raw / f"{ACCESSION}.htm").read_bytes() == submission()
