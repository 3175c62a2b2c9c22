"""Backups whose databases stand elsewhere, onto full disks, and folders that move."""

import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from outreach_platform.embedded.server import EmbeddedServer
from outreach_platform.foundation.errors import OutreachError, UsageError
from outreach_platform.operations import place
from outreach_platform.operations.backup.records import NAME, BackupRecord
from outreach_platform.operations.backup.runs import end_copied_runs
from outreach_platform.operations.backup.take import refuse, take
from outreach_platform.operations.dead_runs import run_tags
from outreach_platform.operations.instance import open_instance
from outreach_platform.settings import Settings
from outreach_platform.snapshots import workbench
from outreach_platform_tests.operations import tiny
from outreach_platform_tests.support.postgres import alive, drop_database, fresh_database
from outreach_platform_tests.support.published import TwoVersions, publish_twice
from outreach_platform_tests.support.small_disks import small_disk as small_disk
from outreach_platform_tests.support.snapshot_runs import settings_for

pytestmark = pytest.mark.slow
ELSEWHERE = {
    "neon_database_url": "postgresql://reader:hush-hush-1@127.0.0.1:9/none",
    "supabase_database_url": "postgresql://reader:hush-hush-1@127.0.0.1:9/none",
    "events_database_url": "postgresql://reader:hush-hush-1@127.0.0.1:9/none",
    "dagster_database_url": "postgresql://reader:hush-hush-1@127.0.0.1:9/none",
    "s3_bucket": "outreach-objects",
}


@pytest.fixture(scope="module")
def published(
    pg_server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TwoVersions]:
    url = fresh_database(pg_server, "backup_take")
    two = publish_twice(url, tmp_path_factory.mktemp("published") / "data")
    workbench.rebuild(two.data_dir, "test")
    yield two
    drop_database(pg_server, "backup_take")


@pytest.fixture
def two(published: TwoVersions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TwoVersions:
    """A copy of its own, no user's DAGSTER_HOME."""
    for name in ("DAGSTER_HOME", "OUTREACH_CHOSEN_DAGSTER_HOME"):
        monkeypatch.setenv(name, "")
    return published.copy(tmp_path / "data")


def take_quietly(settings: Settings, target: Path) -> BackupRecord:
    return take(settings, target, "a-run", lambda _: None)


def views_of(data: Path) -> str:
    path = workbench.workbench_path(data)
    with duckdb.connect(str(path), read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM companies_good").fetchone()
        rows = connection.execute("SELECT sql FROM duckdb_views() WHERE NOT internal").fetchall()
    return "\n".join(sql for (sql,) in rows)


def test_without_a_database_there_is_none(two: TwoVersions, tmp_path: Path) -> None:
    done = take_quietly(settings_for(two.data_dir), tmp_path / "copy")
    parts = {part.part: part for part in done.parts}
    assert done.problems == []
    assert {parts[f"database {n}"].status for n in ("neon", "supabase", "events")} == {"none"}
    assert parts["runs"].status == "none"
    assert not (tmp_path / "copy" / "embedded").exists()
    assert str(two.data_dir) not in views_of(tmp_path / "copy")
    # Exports and the lake's tables are one file each, in the copy as in the source.
    version = TwoVersions(tmp_path / "copy", two.old, two.new)
    export = version.folder.export(two.new, "people_bad")
    assert export.samefile(version.folder.table(two.new, "people_bad")) is (
        two.folder.export(two.new, "people_bad").samefile(two.folder.table(two.new, "people_bad"))
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_copy_that_root_takes_belongs_to_the_folders_owner(
    two: TwoVersions, tmp_path: Path
) -> None:
    for path in (two.data_dir, *two.data_dir.rglob("*")):
        os.chown(path, 12345, 12346)
    take_quietly(settings_for(two.data_dir), tmp_path / "copy")
    there = [tmp_path / "copy", *(tmp_path / "copy").rglob("*")]
    assert tmp_path / "copy" / "locks" / "workbench.lock" in there
    assert {(p.stat().st_uid, p.stat().st_gid) for p in there} == {(12345, 12346)}


def test_what_stands_elsewhere_is_told_a_line_each(two: TwoVersions, tmp_path: Path) -> None:
    settings = Settings(data_dir=two.data_dir, **ELSEWHERE)  # pyright: ignore
    done = take_quietly(settings, tmp_path / "copy")
    said = {part.part: part.message for part in done.parts if part.status == "outside"}
    assert (said.pop("runs") or "").startswith("configured outside (DAGSTER_PG_URL), not copied")
    assert said == {
        part: f"configured outside ({variable}), not copied; back it up there"
        for part, variable in (
            ("database neon", "NEON_DATABASE_URL"),
            ("database supabase", "SUPABASE_DATABASE_URL"),
            ("database events", "DATABASE_URL"),
            ("object store", "S3_BUCKET"),
        )
    }
    assert "hush-hush" not in (tmp_path / "copy" / NAME).read_text()


def test_damage_is_named_and_everything_else_is_in(two: TwoVersions, tmp_path: Path) -> None:
    two.object("companies_good").write_bytes(b"another object")
    analytics = two.data_dir / "duckdb" / "analytics.duckdb"
    analytics.write_bytes(b"no database")
    done = take_quietly(settings_for(two.data_dir), tmp_path / "copy")
    first, second = done.problems
    assert first.startswith("duckdb/analytics.duckdb cannot be opened (")
    key = two.folder.object_key(two.new, "companies_good")
    assert second.startswith(f"WV {two.new}: {key} holds other content in the object store: 14 ")
    assert second.endswith(f"(so it is in {two.data_dir})")
    assert {part.part for part in done.parts if part.status == "damaged"} == {"duckdb"}
    assert json.loads((tmp_path / "copy" / NAME).read_text())["problems"] == done.problems
    assert TwoVersions(tmp_path / "copy", two.old, two.new).content(two.new) == two.content(two.new)


def test_databases_that_do_not_come_up_keep_nobody_else_out(
    two: TwoVersions, tmp_path: Path
) -> None:
    cluster = two.data_dir / "embedded" / "cluster"
    cluster.mkdir(parents=True)
    (cluster / "PG_VERSION").write_text("18\n")
    done = take_quietly(settings_for(two.data_dir), tmp_path / "copy")
    (problem,) = done.problems
    assert problem.startswith("databases: the embedded PostgreSQL in ")
    assert {p.status for p in done.parts if p.part.startswith("database ")} == {"damaged"}
    assert TwoVersions(tmp_path / "copy", two.old, two.new).content() == two.content()


@pytest.mark.parametrize("when", ["records", "verifying the copy"])
def test_a_disk_that_fills_up_keeps_nothing_half(
    two: TwoVersions, small_disk: Path, when: str
) -> None:
    target, ballast = small_disk / "copy", small_disk / "ballast"

    def fill(text: str) -> None:
        if text == when:
            with pytest.raises(OSError, match="No space"), ballast.open("wb") as file:
                while file.write(b"x" * 65536):
                    file.flush()

    with pytest.raises(OutreachError, match=r"copy is full: nothing is left of the copy"):
        take(settings_for(two.data_dir), target, "a-run", fill)
    assert list(small_disk.iterdir()) == [ballast]
    if when == "records":
        with pytest.raises(UsageError, match=r"MB left: free some space"):
            refuse(settings_for(two.data_dir), target)
    ballast.unlink()
    assert take_quietly(settings_for(two.data_dir), target).problems == []


def test_runs_of_a_living_process_are_ended_in_the_copy_alone(two: TwoVersions) -> None:
    home = two.data_dir / "dagster"
    job = tiny.defs.resolve_job_def("sleeping")
    made = {}
    with open_instance(two.data_dir) as instance:
        for status in ("NOT_STARTED", "STARTED", "CANCELING", "SUCCESS"):
            run = instance.create_run_for_job(
                job, status=dg.DagsterRunStatus(status), tags=run_tags()
            )
            made[run.run_id] = status
    copy = two.data_dir / "copied"
    shutil.copytree(home, copy)
    assert end_copied_runs(copy) == 4
    with sqlite3.connect(copy / "history" / "runs.db") as connection:
        found = dict(connection.execute("SELECT run_id, status FROM runs").fetchall())
    assert found == {
        run_id: "SUCCESS" if status == "SUCCESS" else "CANCELED" for run_id, status in made.items()
    }
    assert alive(int(run_tags()["outreach/pid"]))
    with open_instance(two.data_dir) as instance:
        assert {r.run_id: r.status.value for r in instance.get_runs()} == made
    assert not list(copy.glob(".backup*"))


def test_a_folder_that_was_moved_gets_its_views_at_the_first_command(
    two: TwoVersions, tmp_path: Path
) -> None:
    settings = settings_for(two.data_dir)
    assert place.settle(settings, "test") == []  # the first command notes where it stands
    (two.data_dir / "mlflow").mkdir()
    store = two.data_dir / "mlflow" / "mlflow.db"
    with sqlite3.connect(store) as connection:
        connection.execute("CREATE TABLE runs (artifact_uri TEXT)")
        uris = [f"{two.data_dir.as_uri()}/mlflow/artifacts/1", "s3://bucket/2", None]
        connection.executemany("INSERT INTO runs VALUES (?)", [(uri,) for uri in uris])
    moved = tmp_path / "a place with spaces"
    two.data_dir.rename(moved)
    assert place.settle(settings_for(moved), "test") == []
    assert str(two.data_dir) not in views_of(moved)
    with sqlite3.connect(moved / "mlflow" / "mlflow.db") as connection:
        found = [uri for (uri,) in connection.execute("SELECT artifact_uri FROM runs")]
    assert found == [f"{moved.as_uri()}/mlflow/artifacts/1", "s3://bucket/2", None]
    # Once is enough: the file that people have open is not exchanged each time.
    before = workbench.workbench_path(moved).stat().st_ino
    assert place.settle(settings_for(moved), "test") == []
    assert workbench.workbench_path(moved).stat().st_ino == before
