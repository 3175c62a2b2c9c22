"""Records of published states and exports as the wings write them, without running them."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb

from outreach_platform.events.layout import EventFolder
from outreach_platform.events.records import (
    DayManifest,
    ExportedDay,
    ExportManifest,
    Extraction,
    SyncRecord,
    Window,
)
from outreach_platform.foundation.lake import FileRecord, sha256_of, write_record
from outreach_platform.foundation.objects.local import LocalStore
from outreach_platform.settings_toml import GateThresholds
from outreach_platform.snapshots.layout import RAW_TABLES, TABLES, StateFolder
from outreach_platform.snapshots.records import Manifest, ObjectRecord, Receipt

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
COMPANY = "'Acme' AS company_name, 'acme.com' AS website_url, 'Steel' AS industry"
PERSON = "'Ann Lee' AS full_name, 'CEO' AS title, 'a@b.co' AS email"


def hours_ago(hours: float) -> datetime:
    return NOW - timedelta(hours=hours)


def publish_state(
    data: Path,
    state: str = "WV",
    *,
    pulled: datetime = NOW,
    companies: str = f"SELECT {COMPANY} FROM range(10)",
    people: str = f"SELECT {PERSON} FROM range(10)",
    raw: int = 10,
) -> str:
    """Publish a version with files of these good rows, objects included; returns the version."""
    folder, version = StateFolder(data, state), pulled.strftime("%Y%m%d%H%M%S")
    store = LocalStore(data / "objects", "svg-enrichment")
    files, objects = {}, {}
    for table in TABLES:
        rows = companies if table.startswith("companies") else people
        path = folder.export(version, table)
        path.parent.mkdir(parents=True, exist_ok=True)
        duckdb.sql(rows).write_parquet(str(path))
        files[table] = _recorded(data, path)
        objects[table] = _uploaded(store, folder.object_key(version, table), path)
    manifest = Manifest(
        version=version,
        state=state,
        snapshot_id=int(version),
        partition=pulled.date(),
        run_id="run-1",
        source="embedded",
        created_at=pulled,
        pulled_at=pulled,
        counts={**dict.fromkeys(TABLES, 10), **dict.fromkeys(RAW_TABLES, raw)},
        files=files,
        raw={},
        errors={},
        verdicts=[],
        overrides=[],
        thresholds=GateThresholds(),
        rules_version="r",
        code_version="0",
    )
    path = folder.manifest(version)
    write_record(path, manifest)
    objects["manifest"] = _uploaded(store, folder.manifest_key(version), path)
    receipt = Receipt(
        version=version,
        state=state,
        snapshot_id=int(version),
        source="embedded",
        published_at=pulled,
        audit_id=1,
        manifest_sha256=sha256_of(path),
        objects=objects,
    )
    write_record(folder.receipt(version), receipt)
    return version


def _recorded(data: Path, path: Path, rows: int = 10) -> FileRecord:
    return FileRecord(
        path=path.relative_to(data).as_posix(),
        rows=rows,
        size=path.stat().st_size,
        sha256=sha256_of(path),
    )


def _uploaded(store: LocalStore, key: str, path: Path) -> ObjectRecord:
    info = store.put(key, path, {"state": "WV"}, sha256=sha256_of(path))
    return ObjectRecord(key=key, url=info.url, size=info.size, sha256=info.sha256 or "")


def export_events(
    data: Path, *, days: int = 4, quarantined: int = 0, created: datetime = NOW
) -> Window:
    """The days of a window, a hundred rows each, and the export made of them."""
    folder = EventFolder(data)
    window = Window(start=(created - timedelta(days=days - 1)).date(), end=created.date())
    taken = {}
    for day in window.days:
        folder.day(day).parent.mkdir(parents=True)
        duckdb.sql("FROM range(100)").write_parquet(str(folder.day(day)))
        file = _recorded(data, folder.day(day), 100)
        write_record(folder.manifest(day), _day(day, file))
        taken[day] = ExportedDay(
            sha256=file.sha256, rows=100, quarantined=quarantined, source_rows=100
        )
    stamp = created.strftime("%Y%m%d_%H%M%S")
    folder.raw.mkdir(parents=True, exist_ok=True)
    duckdb.sql("FROM range(400)").write_parquet(str(folder.export(stamp)))
    folder.latest.symlink_to(folder.export(stamp).name)
    manifest = ExportManifest(
        stamp=stamp,
        file=_recorded(data, folder.export(stamp), 400),
        window=window,
        days=taken,
        created_at=created,
        user_id=None,
        validation="strict",
        rules_version="r",
        source="embedded",
        users=9,
        event_types=2,
        first=None,
        last=None,
        null_rates={},
        null_phases=0.0,
        previous=None,
        row_delta=None,
        compression="snappy",
        seconds=1.0,
        run_id="run-1",
        code_version="0",
    )
    write_record(folder.export_manifest(stamp), manifest)
    return window


def _day(day: str, file: FileRecord) -> DayManifest:
    return DayManifest(
        day=day,
        file=file,
        quarantine=None,
        source_rows=100,
        pulled_at=NOW,
        source="embedded",
        table="t",
        source_changes="1",
        columns="c",
        validation="strict",
        rules_version="r",
        compression="snappy",
        nulls={},
        errors={},
        warnings={},
        run_id="run-1",
        code_version="0",
    )


def note_extraction(data: Path, problem: str | None) -> None:
    day = date(2026, 3, 10)
    record = Extraction(
        run_id="run-2",
        finished_at=NOW,
        window=Window(start=day, end=day),
        validation="strict",
        source="embedded",
        problem=problem,
    )
    write_record(EventFolder(data).extraction, record)


def note_sync(data: Path, problem: str | None) -> None:
    record = SyncRecord(
        stamp=None,
        form=None,
        database="analytics.duckdb",
        problem=problem,
        slowest_ms=None,
        synced_at=NOW,
        run_id="run-3",
    )
    write_record(EventFolder(data).synced, record)
