"""Whether disk and object store hold what the manifests say."""

from pathlib import Path

import pytest

from outreach_platform.events.layout import EventFolder
from outreach_platform.foundation.lake import sha256_of
from outreach_platform.foundation.objects.local import LocalStore
from outreach_platform.operations.monitoring import stores
from outreach_platform.operations.problems import Problem
from outreach_platform.settings_toml import MonitoringSettings
from outreach_platform.snapshots.auditing import spool_folder
from outreach_platform.snapshots.layout import StateFolder
from outreach_platform_tests.operations.monitoring.known import (
    export_events,
    hours_ago,
    publish_state,
)
from outreach_platform_tests.support.snapshot_runs import settings_for


def files(data: Path) -> list[Problem]:
    return stores.snapshot_files(settings_for(data))


def test_files_as_their_manifests_say_are_no_problem(tmp_path: Path) -> None:
    assert files(tmp_path) == []
    publish_state(tmp_path)
    assert files(tmp_path) == []


def test_a_file_that_is_gone_or_of_another_size_is_named(tmp_path: Path) -> None:
    version = publish_state(tmp_path)
    folder = StateFolder(tmp_path, "WV")
    folder.export(version, "people_bad").unlink()
    with folder.export(version, "people_good").open("ab") as file:
        file.write(b"x")
    (found,) = files(tmp_path)
    assert (found.kind, found.subject) == ("files_differ", "WV")
    assert f"people_bad_{version}.parquet is gone" in found.message
    assert "its manifest says" in found.message
    assert f"outreach restore --state WV --version {version}" in found.action


def test_a_damaged_record_is_told_and_the_version_before_is_looked_at(tmp_path: Path) -> None:
    before = publish_state(tmp_path, pulled=hours_ago(24))
    version = publish_state(tmp_path)
    folder = StateFolder(tmp_path, "WV")
    folder.manifest(version).unlink()
    folder.export(before, "people_bad").unlink()
    assert [p.kind for p in files(tmp_path)] == ["record_damaged", "files_differ"]


def test_the_export_of_events_that_is_gone_or_without_its_manifest(tmp_path: Path) -> None:
    settings, folder = settings_for(tmp_path), EventFolder(tmp_path)
    assert stores.event_files(settings) == []
    export_events(tmp_path)
    assert stores.event_files(settings) == []
    newest = folder.newest()
    assert newest is not None
    folder.export(newest.stamp).unlink()
    assert [p.kind for p in stores.event_files(settings)] == ["files_differ"]
    folder.export_manifest(newest.stamp).unlink()
    assert [p.kind for p in stores.event_files(settings)] == ["record_damaged"]


def test_objects_that_are_gone_or_others_are_named(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    store = LocalStore(tmp_path / "objects", "svg-enrichment")
    assert stores.snapshot_objects(settings, store) == []
    version = publish_state(tmp_path)
    assert stores.snapshot_objects(settings, store) == []
    folder = StateFolder(tmp_path, "WV")
    (tmp_path / "objects" / "svg-enrichment" / folder.manifest_key(version)).unlink()
    (found,) = stores.snapshot_objects(settings, store)
    assert (found.kind, found.subject) == ("objects_differ", "WV")
    assert f"manifests/{version}.json is gone from the object store" in found.message
    other = tmp_path / "other"
    other.write_text("other")
    key = folder.object_key(version, "people_bad")
    store.put(key, other, {"state": "WV"}, sha256=sha256_of(other))
    (found,) = stores.snapshot_objects(settings, store)
    assert "were confirmed" in found.message


@pytest.mark.parametrize(("limit", "told"), [(0.0, False), (1e9, True)])
def test_a_disk_with_little_room(tmp_path: Path, limit: float, told: bool) -> None:
    settings = settings_for(tmp_path)
    toml = settings.toml.model_copy(update={"monitoring": MonitoringSettings(free_gb=limit)})
    found = stores.disk_space(settings.model_copy(update={"toml": toml}))
    assert [p.kind for p in found] == (["disk_space"] if told else [])


def test_audit_rows_that_wait_are_told(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    assert stores.waiting_audit_rows(settings) == []
    spool_folder(tmp_path).mkdir(parents=True)
    (spool_folder(tmp_path) / "one.json").write_text("{}")
    (found,) = stores.waiting_audit_rows(settings)
    assert found.kind == "audit_waiting"
