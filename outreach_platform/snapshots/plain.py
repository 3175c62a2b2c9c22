"""The predecessor's first form: unversioned files, no kill switches, people on their own.

Kept for scripts that still read `exports/wv/…`. Each run replaces the files of the last one.
"""

import shutil
from pathlib import Path

from outreach_platform.foundation.audit import AuditEvent, write_event
from outreach_platform.foundation.lake import FileRecord, Record
from outreach_platform.foundation.objects.upload import upload_once
from outreach_platform.foundation.warehouse import bulk_engine, write_parquet
from outreach_platform.records.rules import UNTIED_PEOPLE_RULES
from outreach_platform.snapshots.layout import TABLES, StateFolder
from outreach_platform.snapshots.leftovers import plain_folder
from outreach_platform.snapshots.publish import PIPELINE, object_metadata
from outreach_platform.snapshots.pull import pull
from outreach_platform.snapshots.run import SnapshotRun
from outreach_platform.snapshots.split import filter_of, score

EVENT_TYPE = "outreach_validation_run"


class PlainSnapshot(Record):
    """What a plain run wrote."""

    state: str
    files: dict[str, FileRecord]
    urls: dict[str, str]
    audit_id: int | None


def plain_path(data_dir: Path, state: str, table: str) -> Path:
    """Where a plain file stands, for example `exports/wv/people/bad/people_bad.parquet`."""
    entity, verdict = table.rsplit("_", 1)
    return data_dir / "exports" / state.lower() / entity / verdict / f"{table}.parquet"


def plain_snapshot(run: SnapshotRun) -> PlainSnapshot:
    """Pull and split one state into four unversioned files, upload them, and audit.

    Call it under the state's lock.

    Raises:
        OutreachError: as the steps of a versioned run do.
    """
    data_dir = run.settings.data_dir
    limits = run.settings.toml.pull
    # Away from the lake, where every version is carried through or audited as given up.
    scratch = StateFolder(plain_folder(data_dir, run.state), run.state)
    shutil.rmtree(scratch.data_dir, ignore_errors=True)  # a killed run's
    try:
        with bulk_engine(
            scratch.data_dir / "spill", memory_limit=limits.memory_limit, threads=limits.threads
        ) as engine:
            pulled = pull(
                engine,
                scratch,
                run.url,
                run_id=run.run_id,
                source=run.source,
                schema=limits.schema_name,
                now=run.now,
            )
            score(
                engine,
                scratch.data_dir / pulled.companies.path,
                scratch.data_dir / pulled.people.path,
                people_rules=UNTIED_PEOPLE_RULES,
            )
            files = {
                table: write_parquet(
                    engine, filter_of(table), plain_path(data_dir, run.state, table), data_dir
                )
                for table in TABLES
            }
    finally:
        shutil.rmtree(scratch.data_dir, ignore_errors=True)
    urls = {table: _upload(run, table, file, pulled.version) for table, file in files.items()}
    audit_id = write_event(run.url, _event(run, files, urls, pulled.version))
    return PlainSnapshot(state=run.state, files=files, urls=urls, audit_id=audit_id)


def _upload(run: SnapshotRun, table: str, file: FileRecord, version: str) -> str:
    path = run.settings.data_dir / file.path
    info = upload_once(
        run.store,
        f"outreach/{path.relative_to(run.settings.data_dir / 'exports').as_posix()}",
        path,
        object_metadata(run.state, version, table),
        attempts=run.settings.toml.objects.attempts,
        overwrite=True,
        sha256=file.sha256,
    )
    return info.url


def _event(
    run: SnapshotRun, files: dict[str, FileRecord], urls: dict[str, str], version: str
) -> AuditEvent:
    return AuditEvent(
        event_type=EVENT_TYPE,
        event_source=PIPELINE,
        details={
            "state": run.state,
            "run_id": run.run_id,
            "pulled": version,
            **{table: file.rows for table, file in files.items()},
            "parquet_paths": {table: file.path for table, file in files.items()},
            "b2_urls": urls,
        },
        identity=("state", "run_id"),
    )
