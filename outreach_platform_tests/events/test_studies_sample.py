"""The embedded sample's known answers, end to end, and research databases that cannot be asked."""

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from outreach_platform.embedded.sample import its_intervention, load_sample, user_ids
from outreach_platform.embedded.server import EmbeddedServer
from outreach_platform.events.studies import (
    Study,
    analyse_abab,
    analyse_its,
    keep_studies,
    open_research,
    studies_file,
)
from outreach_platform.foundation.errors import SourceError
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform_tests.support.event_rows import NOW, create_source, new_run, window
from outreach_platform_tests.support.postgres import drop_database, fresh_database

pytestmark = pytest.mark.slow
SEED = 7


@pytest.fixture(scope="module")
def sample(pg_server: EmbeddedServer) -> Iterator[DatabaseUrl]:
    """The sample's events, as the day of the tests' clock finds them."""
    names = [f"test_{uuid.uuid4().hex[:12]}" for _ in range(2)]
    masters, events = (fresh_database(pg_server, name) for name in names)
    load_sample(masters, masters, events, seed=SEED, scale=0.3, now=NOW)
    yield events
    for name in names:
        drop_database(pg_server, name)


@pytest.mark.parametrize("form", ["view", "table"])
def test_the_samples_known_answers_are_found(sample: DatabaseUrl, tmp_path: Path, form) -> None:
    run = new_run(tmp_path, sample, research=form)
    assert run.extract(window()).errors == {}
    run.siblings()
    run.export(window())
    record = run.sync()
    assert (record.problem, record.form) == (None, form)
    connection = open_research(Path(record.database))
    people = user_ids(SEED)
    interruptions = {s.user_id: s for s in studies_of(analyse_its(connection))}
    assert sorted(interruptions) == sorted(people["its"])
    for study in interruptions.values():
        assert study.its is not None
        assert study.protocol is not None
        assert study.protocol.startswith("Daily goal")
        assert (study.its.status, study.its.days_before, study.its.days_after) == (
            *("estimated", 44, 44),
        )
        assert study.its.intervention == its_intervention(NOW).date()
        assert study.its.effect == pytest.approx(12, abs=5)
        assert (study.its.ci_low or 99) <= 12 <= (study.its.ci_high or 0)
    compared = {s.user_id: s for s in studies_of(analyse_abab(connection))}
    # The user of alternating phases has scores under two of the four labels, and is not here.
    assert sorted(compared) == sorted(people["abab"])
    for study in compared.values():
        assert study.abab is not None
        assert study.protocol is not None
        assert study.protocol.startswith("Spaced review")
        assert study.abab.status == "estimated"
        assert set(study.abab.counts.values()) == {22}
        assert study.abab.effect == pytest.approx(15, abs=3)
        assert study.abab.p_value == 1 / 10_001
    keep_studies(run.folder, "abab", connection, analyse_abab(connection), "run-1")
    connection.close()
    text = studies_file(run.folder, "abab").read_text(encoding="utf-8")
    assert len(json.loads(text, parse_constant=pytest.fail)["studies"]) == 6


def studies_of(analysed) -> list[Study]:
    return [each.study for each in analysed]


def test_a_database_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"there is no research database .*run `outreach events"):
        open_research(tmp_path / "duckdb" / "analytics.duckdb")
    assert not (tmp_path / "duckdb").exists()


def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "analytics.duckdb"
    path.write_text("not a database, but of some length\n" * 1000)
    with pytest.raises(SourceError, match=r"cannot be read .*sync-duckdb") as refused:
        open_research(path)
    assert "\n" not in str(refused.value)
    assert path.read_text().startswith("not a database")


WRITER = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1])
print("open", flush=True)
sys.stdin.read()
"""


def test_a_database_that_another_program_writes_to_is_said_to_be(tmp_path: Path) -> None:
    path = tmp_path / "analytics.duckdb"
    duckdb.connect(str(path)).close()
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "open\n"
        with pytest.raises(SourceError, match=r"lock.*close the program that writes to it") as busy:
            open_research(path)
        assert "\n" not in str(busy.value)
    finally:
        writer.communicate()
    open_research(path).close()


def test_a_connection_of_this_process_that_writes_is_told_as_well(tmp_path: Path) -> None:
    path = tmp_path / "analytics.duckdb"
    with duckdb.connect(str(path)), pytest.raises(SourceError, match=r"close the program"):
        open_research(path)


def test_a_database_without_the_schema_is_said_to_need_a_sync(
    neon_url: DatabaseUrl, tmp_path: Path
) -> None:
    path = tmp_path / "analytics.duckdb"
    duckdb.connect(str(path)).execute("CREATE TABLE somebodys AS SELECT 1").close()
    folder = new_run(tmp_path, neon_url).folder
    connection = open_research(path)
    for ask in (
        analyse_its,
        analyse_abab,
        lambda c: keep_studies(folder, "its", c, [], "run-1"),
    ):
        with pytest.raises(SourceError, match=r"cannot answer .*--sync-duckdb") as refused:
            ask(connection)
        assert "\n" not in str(refused.value)
    assert not studies_file(folder, "its").exists()
    connection.close()


def test_a_view_whose_export_is_gone_is_said_to_need_a_sync(
    neon_url: DatabaseUrl, tmp_path: Path
) -> None:
    create_source(neon_url)
    run = new_run(tmp_path, neon_url)
    run.extract(window())
    export = run.export(window())
    connection = open_research(Path(run.sync("view").database))
    assert analyse_abab(connection) == []
    run.folder.export(export.stamp).unlink()
    with pytest.raises(SourceError, match=r"cannot answer .*--sync-duckdb"):
        analyse_abab(connection)
    connection.close()
