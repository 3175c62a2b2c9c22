"""Exports under DVC and in MLflow: the real libraries, on files, in processes of their own too."""

import json
import os
import shutil
import socket
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from outreach_platform.events import trackers
from outreach_platform.events.tracking import (
    DvcRecord,
    ExportFacts,
    MlflowRecord,
    TrackingError,
    available_trackers,
    log_to_mlflow,
    require_tracker,
    track_with_dvc,
)
from outreach_platform.foundation.errors import UsageError
from outreach_platform.foundation.lake import sha256_of

WITHOUT = "the extras are not installed: run `make install-extras`"
needs_dvc = pytest.mark.skipif("dvc" not in available_trackers(), reason=WITHOUT)
needs_mlflow = pytest.mark.skipif("mlflow" not in available_trackers(), reason=WITHOUT)
PASSWORD = "hunter2-and-more"

# What stands before the code of a process of its own: any talk with the network ends it.
_OFFLINE = """
import sys
def no_network(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname"):
        print("NETWORK", event, arguments, file=sys.stderr, flush=True)
        import os
        os._exit(9)
sys.addaudithook(no_network)
from pathlib import Path
from outreach_platform.events.tracking import *
"""


def data_folder(tmp_path: Path) -> Path:
    """A name with blanks and more: it becomes part of a URL."""
    folder = tmp_path / "my data é#1"
    folder.mkdir()
    return folder


def export_file(data: Path, stamp: str, rows: int = 1000) -> Path:
    path = data / "raw" / f"behavioral_events_{stamp}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"id": range(rows), "stamp": [stamp] * rows}), path)
    return path


def facts_of(stamp: str, **changed: Any) -> ExportFacts:
    known = {
        "stamp": stamp,
        "run_id": "run-1",
        "finished_at": datetime(2026, 5, 2, 2, 0, 9, tzinfo=UTC),
        "duration_seconds": 8.5,
        "rows": 1234,
        "size": 56789,
        "sha256": "ab" * 32,
        "window_start": datetime(2026, 2, 1, tzinfo=UTC),
        "window_end": datetime(2026, 5, 2, 2, tzinfo=UTC),
        "user_filtered": False,
        "validation_mode": "strict",
        "validation_passed": True,
        "rules_version": "7",
    }
    return ExportFacts.model_validate({**known, **changed})


def apart(code: str, tmp_path: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run code in a process without network, git, a user's folder or a useful working folder."""
    home, cwd = tmp_path / "home", tmp_path / "cwd"
    home.mkdir(exist_ok=True)
    cwd.mkdir(exist_ok=True)
    environment = {"HOME": str(home), "PATH": "/nowhere", "LANG": "C.UTF-8"}
    done = subprocess.run(
        [sys.executable, "-c", _OFFLINE + code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    assert not list(home.rglob("*")), "it wrote into the user's folder"
    assert not list(cwd.rglob("*")), "it wrote into the working folder"
    return done


def test_the_module_loads_without_the_packages(tmp_path: Path) -> None:
    done = apart("print({'dvc', 'mlflow', 'sqlalchemy'} & set(sys.modules))", tmp_path)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("tracker", "package"), [("dvc", "dvc"), ("mlflow", "mlflow"), ("mlflow", "sqlalchemy")]
)
def test_a_missing_package_is_off_and_says_how_to_get_it(
    tracker: trackers.Tracker, package: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    assert tracker not in available_trackers()
    with pytest.raises(UsageError, match=rf"pip install outreach-platform\[{tracker}\]"):
        require_tracker(tracker)
    with pytest.raises(UsageError):
        if tracker == "dvc":
            track_with_dvc(tmp_path, export_file(tmp_path, "20260502_020000"))
        else:
            log_to_mlflow(tmp_path, facts_of("20260502_020000"))
    assert not (tmp_path / "raw" / ".dvc").exists()
    assert not (tmp_path / "mlflow").exists()


def test_a_bare_folder_is_no_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bare_tracker").mkdir()
    (tmp_path / "real_tracker").mkdir()
    (tmp_path / "real_tracker" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    assert not trackers._installed("bare_tracker")
    assert trackers._installed("real_tracker")


def test_failures_become_one_sentence_without_secrets() -> None:
    text = f"no way to https://ann:{PASSWORD}@example.org\n[SQL: select 1]"
    with pytest.raises(TrackingError) as caught, trackers.one_sentence("mlflow"):
        raise ValueError(text)
    assert "ValueError: no way to" in str(caught.value)
    assert PASSWORD not in str(caught.value)
    assert "SQL" not in str(caught.value)
    with pytest.raises(KeyboardInterrupt), trackers.one_sentence("dvc"):
        raise KeyboardInterrupt


def fetch_back(export: Path) -> None:
    """What a person does: `dvc pull NAME.dvc` in the folder."""
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "pull", "-q", f"{export.name}.dvc"],
        capture_output=True,
        text=True,
        check=False,
        cwd=export.parent,
        env={**os.environ, "DVC_SITE_CACHE_DIR": str(export.parent / ".dvc" / "tmp" / "mine")},
    )
    assert done.returncode == 0, done.stderr


def state_of(path: Path) -> tuple[int, int, int, int, str]:
    status = path.lstat()
    return status.st_ino, status.st_mode, status.st_nlink, status.st_mtime_ns, sha256_of(path)


@needs_dvc
@pytest.mark.slow
def test_dvc_brings_each_export_back_byte_for_byte(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = data_folder(tmp_path)
    first, second = export_file(data, "20260501_020000"), export_file(data, "20260502_020000", 2000)
    before = [state_of(path) for path in (first, second)]
    records = [track_with_dvc(data, path) for path in (first, second)]
    assert [state_of(path) for path in (first, second)] == before
    assert track_with_dvc(data, first) == records[0], "the same again changes nothing"
    printed = capfd.readouterr()
    assert printed.out + printed.err == ""

    record = records[0]
    assert record == DvcRecord(
        export="raw/behavioral_events_20260501_020000.parquet",
        metafile="raw/behavioral_events_20260501_020000.parquet.dvc",
        md5=record.md5,
        sha256=before[0][-1],
        size=first.stat().st_size,
        remote=record.remote,
    )
    assert Path(record.remote.removeprefix("file://")) == data / "dvc_remote"
    kept = [path for path in (data / "dvc_remote").rglob("*") if path.is_file()]
    assert {sha256_of(path) for path in kept} == {state[-1] for state in before}
    assert len(kept) == 2, "one copy of each, and nothing else"

    for path, state in zip((first, second), before, strict=True):
        path.unlink()
        fetch_back(path)
        assert sha256_of(path) == state[-1]
        assert not path.is_symlink()
        assert path.stat().st_nlink == 1, "writing to it must not reach the store"


@needs_dvc
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_dvc_stays_offline_and_at_home_in_a_git_checkout(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    subprocess.run(["git", "init", "-q", str(checkout)], check=True)
    (checkout / ".gitignore").write_text("data/\n", encoding="utf-8")
    export = export_file(checkout / "data", "20260501_020000")
    git = sorted(path for path in (checkout / ".git").rglob("*"))
    done = apart(
        "print(track_with_dvc(Path(sys.argv[1]), Path(sys.argv[2])).model_dump_json())",
        tmp_path,
        checkout / "data",
        export,
    )
    assert json.loads(done.stdout)["sha256"] == sha256_of(export)
    assert done.stderr == ""
    assert sorted(path for path in (checkout / ".git").rglob("*")) == git
    made = {path.relative_to(checkout).as_posix() for path in checkout.glob("*")}
    assert made == {".git", ".gitignore", "data"}
    site = export.parent / ".dvc" / "tmp" / "site"
    assert not site.joinpath("repo").stat().st_mode & 0o002, "writable for everybody"


@needs_dvc
@pytest.mark.slow
def test_dvc_survives_a_move_of_the_data_folder(tmp_path: Path) -> None:
    data = data_folder(tmp_path)
    export = export_file(data, "20260501_020000")
    digest = track_with_dvc(data, export).sha256
    moved = data.rename(tmp_path / "elsewhere")
    export = moved / export.relative_to(data)
    export.unlink()
    fetch_back(export)
    assert sha256_of(export) == digest
    assert track_with_dvc(moved, export).remote.endswith("elsewhere/dvc_remote")


@needs_dvc
@pytest.mark.slow
def test_another_remote_is_kept_and_holds_the_exports(tmp_path: Path) -> None:
    data, remote = data_folder(tmp_path), tmp_path / "other remote"
    export = export_file(data, "20260501_020000")
    track_with_dvc(data, export)
    assert not remote.exists()
    record = track_with_dvc(data, export, remote=remote)
    config = (data / "raw" / ".dvc" / "config").read_text(encoding="utf-8")
    assert track_with_dvc(data, export, remote=str(remote)) == record
    assert track_with_dvc(data, export) == record, "a later call keeps it"
    assert (data / "raw" / ".dvc" / "config").read_text(encoding="utf-8") == config
    assert [sha256_of(path) for path in remote.rglob("*") if path.is_file()] == [record.sha256]
    shutil.rmtree(data / "dvc_remote")
    export.unlink()
    fetch_back(export)
    assert sha256_of(export) == record.sha256


@needs_dvc
@pytest.mark.slow
@pytest.mark.parametrize(
    "remote", [f"https://ann:{PASSWORD}@example.org/x", f"https://ann:{PASSWORD}/#@example.org/x"]
)
def test_a_remote_with_a_password_is_refused_and_not_written(tmp_path: Path, remote: str) -> None:
    export = export_file(tmp_path, "20260501_020000")
    with pytest.raises(TrackingError, match="password") as caught:
        track_with_dvc(tmp_path, export, remote=remote)
    assert PASSWORD not in str(caught.value)
    assert not (tmp_path / "raw" / ".dvc").exists()


@needs_dvc
@pytest.mark.slow
def test_dvc_failures_are_one_sentence_and_leave_the_export(tmp_path: Path) -> None:
    export = export_file(tmp_path, "20260501_020000")
    before = state_of(export)
    with pytest.raises(TrackingError, match="is not there"):
        track_with_dvc(tmp_path, export.with_name("behavioral_events_1.parquet"))
    outside = export_file(tmp_path.parent / f"{tmp_path.name}-outside", "20260501_020000")
    with pytest.raises(TrackingError, match="is not in a folder below"):
        track_with_dvc(tmp_path, outside)
    (tmp_path / "a_file").touch()
    with pytest.raises(TrackingError, match="could not track the export") as caught:
        track_with_dvc(tmp_path, export, remote=tmp_path / "a_file")
    assert "\n" not in str(caught.value)
    (tmp_path / "raw" / ".dvc" / "config").write_text("[core\n", encoding="utf-8")
    with pytest.raises(TrackingError, match="config"):
        track_with_dvc(tmp_path, export)
    assert state_of(export) == before


@needs_dvc
@pytest.mark.slow
def test_damage_in_the_store_and_torn_notes_are_found(tmp_path: Path) -> None:
    first, second = export_file(tmp_path, "20260501_020000"), export_file(tmp_path, "2", 10)
    track_with_dvc(tmp_path, first)
    note = first.with_name(f"{first.name}.dvc")
    note.write_bytes(b"")
    track_with_dvc(tmp_path, second)
    assert not note.exists()
    (stored,) = [
        path
        for path in (tmp_path / "dvc_remote").rglob("*")
        if path.is_file() and sha256_of(path) == sha256_of(first)
    ]
    stored.chmod(0o644)
    stored.write_bytes(b"rot")
    stored.chmod(0o444)
    with pytest.raises(TrackingError, match="is damaged; remove"):
        track_with_dvc(tmp_path, first)
    stored.unlink()
    record = track_with_dvc(tmp_path, first)
    assert sha256_of(stored) == record.sha256


_READ = """
import json, os
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
from mlflow import MlflowClient
client = MlflowClient(tracking_uri=sys.argv[1])
experiment = client.get_experiment_by_name("behavioral_events")
for run in client.search_runs([experiment.experiment_id], order_by=["attributes.start_time"]):
    files = [file.path for file in client.list_artifacts(run.info.run_id, "datasets")]
    texts = [Path(client.download_artifacts(run.info.run_id, file, sys.argv[2])).read_text()
             for file in files]
    print(json.dumps([run.info.run_name, run.info.status, run.info.start_time, run.info.end_time,
                      run.data.metrics, run.data.params, run.data.tags, files, texts]))
"""


def runs_in(uri: str, tmp_path: Path) -> list[list[Any]]:
    """All runs as another process reads them, oldest first."""
    copies = tmp_path / "copies"
    copies.mkdir(exist_ok=True)
    done = apart(_READ, tmp_path, uri, copies)
    return [json.loads(line) for line in done.stdout.splitlines()]


@needs_mlflow
@pytest.mark.slow
def test_mlflow_holds_one_run_an_export(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    data = data_folder(tmp_path)
    monkeypatch.chdir(data_folder(data))
    manifest = data / "raw" / "manifests" / "behavioral_events_20260502_020000.json"
    manifest.parent.mkdir(parents=True)
    manifest.write_text('{"rows": 1234}', encoding="utf-8")
    facts = facts_of("20260502_020000", manifest=manifest)
    record = log_to_mlflow(data, facts)
    again = log_to_mlflow(data, facts)
    log_to_mlflow(data, facts_of("20260503_020000", validation_mode="none", validation_passed=None))
    assert capfd.readouterr().out == ""
    assert record.created
    assert again == MlflowRecord(**{**record.model_dump(), "created": False})
    assert not list(Path.cwd().iterdir()), "it wrote into the working folder"
    assert {path.name for path in data.iterdir() if path.is_dir()} >= {"mlflow", "raw"}

    first, second = sorted(runs_in(record.tracking_uri, tmp_path))
    name, status, started, ended, metrics, params, tags, files, texts = first
    assert (name, status) == ("behavioral_events_20260502_020000", "FINISHED")
    assert ended - started == 8500
    assert metrics == {
        "export_success": 1.0,
        "export_rows": 1234.0,
        "export_duration_seconds": 8.5,
        "validation_passed": 1.0,
        "dataset_size": 56789.0,
    }
    assert params == {
        "window_start": "2026-02-01T00:00:00+00:00",
        "window_end": "2026-05-02T02:00:00+00:00",
        "user_filter": "none",
        "validation_mode": "strict",
        "rules_version": "7",
        "data_sha256": "ab" * 32,
        "run_id": "run-1",
    }
    assert tags["data_sha256"] == "ab" * 32
    assert tags["export"] == name
    assert (files, texts) == ([f"datasets/{manifest.name}"], ['{"rows": 1234}'])
    assert "validation_passed" not in second[4]
    assert second[7] == []


@needs_mlflow
@pytest.mark.slow
def test_mlflow_replaces_what_an_interrupted_or_failed_run_left(tmp_path: Path) -> None:
    from mlflow import MlflowClient

    manifest = tmp_path / "one_user.json"
    manifest.write_text("{}", encoding="utf-8")
    failed = log_to_mlflow(tmp_path, facts_of("20260502_020000", success=False))
    (left,) = runs_in(failed.tracking_uri, tmp_path)
    assert (left[1], left[4]["export_success"]) == ("FAILED", 0.0)
    client = MlflowClient(tracking_uri=failed.tracking_uri)
    client.create_run(failed.experiment_id, tags={"export": "behavioral_events_20260502_020000"})
    log_to_mlflow(
        tmp_path, facts_of("20260502_020000", user_filtered=True, manifest=manifest, size=1)
    )
    (run,) = runs_in(failed.tracking_uri, tmp_path)
    assert (run[1], run[5]["user_filter"]) == ("FINISHED", "one user")
    assert run[7] == [], "the manifest may name the user"
    client.delete_experiment(failed.experiment_id)
    with pytest.raises(TrackingError, match="is deleted; restore it"):
        log_to_mlflow(tmp_path, facts_of("20260504_020000"))


@needs_mlflow
@pytest.mark.slow
def test_mlflow_stays_offline_and_at_home(tmp_path: Path) -> None:
    data = data_folder(tmp_path)
    facts = facts_of("20260502_020000").model_dump_json()
    done = apart(
        "import logging; ours = logging.getLogger('outreach_platform.before')\n"
        "facts = ExportFacts.model_validate_json(sys.argv[2])\n"
        "print(log_to_mlflow(Path(sys.argv[1]), facts).created, ours.disabled)",
        tmp_path,
        data,
        facts,
    )
    assert done.stdout.split() == ["True", "False"]
    assert done.stderr == "", "warnings about git and notes of migrations are nobody's business"


@needs_mlflow
@pytest.mark.slow
def test_mlflow_failures_are_one_sentence_without_the_password(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    uris = [
        f"http://ann:{PASSWORD}@127.0.0.1:{port}",
        f"postgresql://ann:{PASSWORD}@127.0.0.1:{port}/runs",
        f"nonsense://ann:{PASSWORD}@127.0.0.1:{port}",
    ]
    for uri in uris:
        with pytest.raises(TrackingError, match="MLflow could not track") as caught:
            log_to_mlflow(tmp_path, facts_of("20260502_020000"), tracking_uri=uri)
        assert PASSWORD not in str(caught.value)
        assert "\n" not in str(caught.value)
    (tmp_path / "mlflow" / "mlflow.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(TrackingError, match="not a database"):
        log_to_mlflow(tmp_path, facts_of("20260502_020000"))
