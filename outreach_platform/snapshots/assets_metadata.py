"""The metadata that outreach assets show in the UI."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from outreach_platform.foundation.lake import FileRecord
from outreach_platform.snapshots import display
from outreach_platform.snapshots.layout import (
    ColumnRecord,
    PullRecord,
    SplitRecord,
    StateFolder,
)
from outreach_platform.snapshots.records import Manifest, ObjectRecord, Receipt

Metadata = dict[str, Any]


def _rows(rows: int) -> Metadata:
    return {"dagster/row_count": rows, "dagster/partition_row_count": rows}


def _schema(columns: Sequence[tuple[str, str]]) -> dg.TableSchema:
    return dg.TableSchema([dg.TableColumn(name, type_name) for name, type_name in columns])


def raw(record: PullRecord, file: FileRecord, columns: Sequence[ColumnRecord]) -> Metadata:
    """Of companies_raw and people_raw."""
    return {
        **_rows(file.rows),
        "dagster/column_schema": _schema([(column.name, column.type) for column in columns]),
        "dagster/uri": file.path,
        "version": record.version,
        "source": record.source,
        "spellings": dg.MetadataValue.json(record.spellings),
        "conflicting_states": record.conflicting,
        "schema_changes": dg.MetadataValue.json(record.schema_changes),
        "size_bytes": file.size,
        "sha256": file.sha256,
    }


def split(folder: StateFolder, record: SplitRecord, table: str) -> Metadata:
    """Of the four split tables."""
    entity, verdict = table.rsplit("_", 1)
    path = folder.table(record.version, table)
    columns = display.parquet_columns(path)
    metadata: Metadata = {
        **_rows(record.rows(table)),
        "dagster/column_schema": _schema(columns),
        "dagster/column_lineage": _lineage(entity, [name for name, _ in columns]),
        "version": record.version,
        "rules_version": record.rules_version,
        "sample": dg.MetadataValue.md(display.sample_rows(path, entity)),
        "warnings": dg.MetadataValue.json(record.warnings[entity]),
    }
    if verdict == "bad":
        metadata["errors"] = dg.MetadataValue.md(display.error_breakdown(record, entity))
        raw_rows = record.rows(f"{entity}_raw")
        metadata["bad_ratio"] = record.rows(table) / raw_rows if raw_rows else 0.0
    return metadata


def _lineage(entity: str, columns: Sequence[str]) -> dg.TableColumnLineage:
    source = dg.AssetKey(["outreach", f"{entity}_raw"])
    return dg.TableColumnLineage(
        {
            name: [dg.TableColumnDep(asset_key=source, column_name=name)]
            for name in columns
            if not name.startswith("validation_")
        }
    )


def exports(manifest: Manifest) -> Metadata:
    """Of parquet_exports."""
    rows = [(table, file.rows, file.size, file.path) for table, file in manifest.files.items()]
    return {
        **_rows(sum(file.rows for file in manifest.files.values())),
        "version": manifest.version,
        "files": dg.MetadataValue.md(
            display.markdown_table(["table", "rows", "bytes", "file"], rows)
        ),
        "kill_switches": dg.MetadataValue.json([v.message for v in manifest.verdicts]),
        "overrides": dg.MetadataValue.json([o.switch for o in manifest.overrides]),
        "rules_version": manifest.rules_version,
    }


def objects(sent: Mapping[str, ObjectRecord]) -> Metadata:
    """Of b2_objects."""
    rows = [(name, record.size, record.key) for name, record in sent.items()]
    return {
        "objects": dg.MetadataValue.md(display.markdown_table(["table", "bytes", "key"], rows)),
        "urls": dg.MetadataValue.json({name: record.url for name, record in sent.items()}),
        "size_bytes": sum(record.size for record in sent.values()),
    }


def snapshot(receipt: Receipt, history: Sequence[display.HistoryRow]) -> Metadata:
    """Of snapshots: the row, and the picture of the last ones."""
    metadata: Metadata = {
        "snapshot_id": receipt.snapshot_id,
        "version": receipt.version,
        "published_at": dg.MetadataValue.timestamp(receipt.published_at),
        "audit_id": receipt.audit_id or 0,
        "dagster/table_name": "snapshots",
    }
    if history:
        metadata["history"] = dg.MetadataValue.md(display.history_picture(receipt.state, history))
    return metadata
