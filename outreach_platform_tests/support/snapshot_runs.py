"""Runs of one state for tests: a data folder, a local store, and the six steps in one call."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from outreach_platform.foundation.lake import FileRecord, sha256_of, write_record
from outreach_platform.foundation.objects.local import LocalStore
from outreach_platform.foundation.objects.protocol import ObjectStore
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.settings import Settings
from outreach_platform.settings_toml import (
    GateThresholds,
    ObjectSettings,
    PullSettings,
    StateSettings,
    TomlSettings,
)
from outreach_platform.snapshots.gates import GateRecord
from outreach_platform.snapshots.layout import PullRecord, SplitRecord, StateFolder
from outreach_platform.snapshots.records import Manifest, Receipt
from outreach_platform.snapshots.run import SnapshotRun
from outreach_platform_tests.support.masters import COMPANIES, PEOPLE, company, insert, person
from outreach_platform_tests.support.postgres import fetch

START = datetime(2026, 3, 2, 10, 0, 0, tzinfo=UTC)
# Where nothing listens: every connection is refused at once.
NOWHERE = DatabaseUrl.parse("postgresql://reader:hush-hush-1@127.0.0.1:9/none")


@dataclass
class Published:
    """What the six steps of one run returned."""

    pulled: PullRecord
    split: SplitRecord
    gates: GateRecord
    manifest: Manifest
    receipt: Receipt
    warnings: list[str]

    @property
    def version(self) -> str:
        """The version's name."""
        return self.pulled.version


def settings_for(
    data_dir: Path, *, gates: dict[str, Any] | None = None, schema: str = "marketing", **states: Any
) -> Settings:
    """Settings that read no environment; `gates` sets all states, a code as keyword one."""
    toml = TomlSettings(
        gates=GateThresholds(**(gates or {})),
        states={state: StateSettings(**own) for state, own in states.items()},
        pull=PullSettings(schema_name=schema),
        objects=ObjectSettings(attempts=1),
    )
    return Settings.model_construct(
        data_dir=data_dir.resolve(), toml=toml, embedded_only=True, neon_database_url=None
    )


def new_run(
    url: DatabaseUrl,
    data_dir: Path,
    state: str = "WV",
    *,
    run_id: str = "run-1",
    at: datetime | None = None,
    store: ObjectStore | None = None,
    settings: Settings | None = None,
) -> SnapshotRun:
    """A run with the local store in the data folder; `at` is its clock, the real one by default."""
    settings = settings or settings_for(data_dir)
    store = store or LocalStore(data_dir / "objects", "svg-enrichment")
    return SnapshotRun(settings, state, url, store, run_id, at)


def pull_to_judge(run: SnapshotRun) -> tuple[PullRecord, SplitRecord, GateRecord]:
    """The first three steps."""
    pulled = run.pull()
    return pulled, run.split(pulled.version), run.judge(pulled.version)


def whole(run: SnapshotRun) -> Published:
    """All six steps; the version must pass."""
    pulled, split, gates = pull_to_judge(run)
    assert gates.passed, gates.verdicts
    return publish(run, pulled, split, gates)


def publish(
    run: SnapshotRun, pulled: PullRecord, split: SplitRecord, gates: GateRecord
) -> Published:
    """The last three steps."""
    manifest = run.export(pulled.version)
    run.upload(pulled.version)
    receipt, warnings = run.record(pulled.version)
    return Published(pulled, split, gates, manifest, receipt, warnings)


def fill(
    url: DatabaseUrl, companies: int = 10, bad: int = 1, people: int = 2, state: str = "WV"
) -> list[dict[str, Any]]:
    """Insert companies, the first `bad` of them without a website, and people for each; returns
    the companies."""
    rows = [
        company(
            address_state=state, state_abbrev=state, **({"website_url": " "} if n < bad else {})
        )
        for n in range(companies)
    ]
    insert(url, COMPANIES, rows)
    insert(
        url,
        PEOPLE,
        [person(company_unique_id=r["company_unique_id"]) for r in rows for _ in range(people)],
    )
    return rows


def later(seconds: int) -> datetime:
    """A moment that many seconds after `START`."""
    return START + timedelta(seconds=seconds)


def audit_rows(url: DatabaseUrl) -> list[tuple[str, str, dict[str, Any]]]:
    """(event_type, event_source, details) of every audit row in order; none without a table."""
    if fetch(url, "SELECT to_regclass('shq.audit_log')") == [(None,)]:
        return []
    return fetch(url, "SELECT event_type, event_source, details FROM shq.audit_log ORDER BY id")


def statuses(url: DatabaseUrl) -> list[tuple[str | None, str]]:
    """(snapshot_version, kill_switch_status) of every audit row in order."""
    return [(d.get("snapshot_version"), d["kill_switch_status"]) for _, _, d in audit_rows(url)]


def stored_pull(
    folder: StateFolder, version: str, companies: pa.Table, people: pa.Table
) -> PullRecord:
    """Put two tables into the lake as if they had been pulled."""
    records = {}
    for name, table in (("companies", companies), ("people", people)):
        path = folder.table(version, f"{name}_raw")
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path)
        records[name] = FileRecord(
            path=path.relative_to(folder.data_dir).as_posix(),
            rows=table.num_rows,
            size=path.stat().st_size,
            sha256=sha256_of(path),
        )
    record = PullRecord(
        version=version,
        state=folder.state,
        partition=START.date(),
        run_id="stored",
        source="embedded",
        pulled_at=START,
        code_version="0",
        companies=records["companies"],
        people=records["people"],
        company_columns=[],
        people_columns=[],
        spellings=[],
        most_common=[],
        conflicting=0,
        schema_changes=[],
    )
    write_record(folder.pull_record(version), record)
    return record


def text_table(columns: Sequence[str], rows: Sequence[Sequence[str | None]]) -> pa.Table:
    """An Arrow table of text columns."""
    by_column = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    return pa.table(
        {
            name: pa.array(list(values), pa.string())
            for name, values in zip(columns, by_column, strict=True)
        }
    )
