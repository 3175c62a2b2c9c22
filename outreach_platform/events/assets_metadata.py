"""The metadata that events assets show in the UI."""

import re
from collections.abc import Sequence
from typing import Any

import dagster as dg

from outreach_platform.events import plots
from outreach_platform.events.experiments import TABLES, SiblingRecord
from outreach_platform.events.records import DayManifest, ExportManifest, Extraction, SyncRecord
from outreach_platform.events.research_sql import EVENTS, STANDING_QUERIES
from outreach_platform.events.schema import COLUMNS, EventColumn
from outreach_platform.events.studies import Analysed

Metadata = dict[str, Any]
_PICTURES = 12
_TRACKED_AS = {"dvc": "dvc_md5", "mlflow": "mlflow_run_id"}
_MARKUP = re.compile(r"[\\`*_{}\[\]<>#|]")
# A page shows some fifty characters of a line.
_CLAUSE = re.compile(r" (?=(?:FROM|WHERE|GROUP BY|ORDER BY) )")


def event_schema() -> dg.TableSchema:
    """The fifteen columns as the UI shows them."""
    return dg.TableSchema(
        [
            dg.TableColumn(
                column.name,
                column.duckdb_type,
                description=_described(column),
                constraints=dg.TableColumnConstraints(
                    nullable=not column.required, unique=column.name == "id"
                ),
            )
            for column in COLUMNS
        ]
    )


def _described(column: EventColumn) -> str | None:
    if column.allowed:
        return ", ".join(column.allowed)
    if column.bounds:
        lowest, highest = column.bounds
        return f"{lowest} to {highest}" + (", 0 is Sunday" if column.name == "dayOfWeek" else "")
    if column.pattern:
        return f"CUID, {column.pattern}"
    by_kind = {"json": "canonical JSON text", "timestamp": "naive UTC"}
    return by_kind.get(column.kind)


def day(manifest: DayManifest, reason: str | None) -> Metadata:
    """Of one day of behavioral_events; without a reason it stood and was not pulled."""
    return {
        "dagster/partition_row_count": manifest.file.rows,
        "dagster/uri": manifest.file.path,
        "pulled_because": reason or "not pulled: it is as the source has it",
        "quarantined": manifest.quarantined,
        "source_rows": manifest.source_rows,
        "validation": manifest.validation,
        "size_bytes": manifest.file.size,
        "sha256": manifest.file.sha256,
    }


def extraction(record: Extraction) -> Metadata:
    """Of behavioral_events as a whole."""
    window = record.window
    return {
        "dagster/column_schema": event_schema(),
        "window": f"{window.start} to {window.end}",
        "source": record.source,
        "table": record.table,
        "validation": record.validation,
        "days_pulled": len(record.pulled),
        "days_kept": record.kept,
        "rows_pulled": record.rows,
        "quarantined": record.quarantined,
        "errors": dg.MetadataValue.json(record.errors),
        "warnings": dg.MetadataValue.json(record.warnings),
        "notices": dg.MetadataValue.json(record.notices),
    }


def sibling(record: SiblingRecord) -> Metadata:
    """Of experiment_protocols and phase_assignments."""
    columns = TABLES[record.name]
    return {
        "dagster/row_count": record.file.rows,
        "dagster/uri": record.file.path,
        "dagster/column_schema": dg.TableSchema(
            [dg.TableColumn(name, kind) for name, kind in columns.items()]
        ),
        "found": record.found,
        "notices": dg.MetadataValue.json(record.notices),
    }


def export(manifest: ExportManifest, known: dict[str, str], warnings: Sequence[str]) -> Metadata:
    """Of behavioral_events_export."""
    lineage = dg.TableColumnLineage(
        {
            column.name: [
                dg.TableColumnDep(
                    asset_key=dg.AssetKey(["events", "behavioral_events"]), column_name=column.name
                )
            ]
            for column in COLUMNS
        }
    )
    metadata: Metadata = {
        "dagster/row_count": manifest.file.rows,
        "dagster/uri": manifest.file.path,
        "dagster/column_schema": event_schema(),
        "dagster/column_lineage": lineage,
        "window": f"{manifest.window.start} to {manifest.window.end}",
        "file": dg.MetadataValue.path(manifest.file.path),
        "filtered": manifest.user_id is not None,
        "users": manifest.users,
        "event_types": manifest.event_types,
        "size_bytes": manifest.file.size,
        "validation": manifest.validation,
        "quarantined": manifest.quarantined,
        "seconds": round(manifest.seconds, 3),
        "warnings": dg.MetadataValue.json(list(warnings)),
    }
    if manifest.first and manifest.last:
        metadata["first"] = manifest.first.isoformat(timespec="seconds")
        metadata["last"] = manifest.last.isoformat(timespec="seconds")
    return {**metadata, **{_TRACKED_AS[tracker]: name for tracker, name in known.items()}}


def research(record: SyncRecord) -> Metadata:
    """Of research_behavioral_events; what was not measured or made is left out."""
    queries = "\n\n".join(
        f"**{name}**\n```sql\n{_CLAUSE.sub(chr(10), query)}\n```"
        for name, query in STANDING_QUERIES.items()
    )
    metadata: Metadata = {
        "dagster/table_name": EVENTS,
        "dagster/uri": record.database,
        "database": dg.MetadataValue.path(record.database),
        "form": record.form or "not brought up to date",
        "standing_queries": dg.MetadataValue.md(queries),
    }
    if record.stamp is not None:
        metadata["export"] = record.stamp
    if record.set_aside is not None:
        metadata["damaged_one_moved_to"] = dg.MetadataValue.path(record.set_aside)
    if record.slowest_ms is not None:
        metadata["slowest_standing_query_ms"] = round(record.slowest_ms, 1)
    return metadata


def studies(analysed: Sequence[Analysed]) -> Metadata:
    """Of its_results and abab_results: all in words, pictures of the first ones."""
    metadata: Metadata = {
        "dagster/row_count": len(analysed),
        "estimated": sum(_result(a).status == "estimated" for a in analysed),
        "results": dg.MetadataValue.md(_listed(analysed)),
    }
    shown = [a for a in analysed if _result(a).status == "estimated"][:_PICTURES]
    if pictures := [_picture(each) for each in shown]:
        metadata["pictures"] = dg.MetadataValue.md("\n\n".join(pictures))
    return metadata


def _result(analysed: Analysed):
    result = analysed.study.its or analysed.study.abab
    if result is None:
        raise AssertionError("a study has a result")
    return result


def _listed(analysed: Sequence[Analysed]) -> str:
    """One paragraph a study: a table would be squeezed into the page's narrow column."""
    if not analysed:
        return "no user has what this analysis needs: a protocol, or observations in phases"
    return "\n".join(f"* {_whose(each)}: {_result(each).message}" for each in analysed)


def _whose(analysed: Analysed) -> str:
    study = analysed.study
    name = _MARKUP.sub(r"\\\g<0>", study.protocol) if study.protocol else "no protocol"
    return f"**{study.user_id}**, {name}"


def _picture(analysed: Analysed) -> str:
    study = analysed.study
    if study.its is not None:
        return f"{_whose(analysed)}\n\n{plots.its_picture(analysed.rows, study.its)}"
    if study.abab is not None:
        return f"{_whose(analysed)}\n\n{plots.abab_picture(analysed.rows, study.abab)}"
    raise AssertionError("a study has a result")
