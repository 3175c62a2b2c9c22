"""The metadata that filings assets show in the UI."""

from typing import Any

import dagster as dg

from outreach_platform.filings.health_records import Health
from outreach_platform.filings.model import Kind
from outreach_platform.filings.records import ExtractionRecord, MergeRecord, RegisterRecord
from outreach_platform.filings.schema import COLUMNS

Metadata = dict[str, Any]
_SHOWN = 20


def table_schema(table: str) -> dg.TableSchema:
    """The columns of a table as the UI shows them."""
    return dg.TableSchema([dg.TableColumn(name, kind) for name, kind in COLUMNS[table].items()])


def registration(record: RegisterRecord) -> Metadata:
    """Of filings as a whole."""
    return {
        "new": len(record.new),
        "updated": len(record.updated),
        "unchanged": record.unchanged,
        "refused": len(record.refused),
        "downloaded": record.downloaded,
        **_listed("refused_because", [f"{key}: {why}" for key, why in record.refused.items()]),
        **_listed("problems", record.problems),
    }


def extraction(record: ExtractionRecord, year: int | None = None) -> Metadata:
    """Of filing_extracts, of one filing year or of all."""
    chosen = [f for f in record.filings if year is None or f.year == year]
    failed = [f for f in chosen if f.error]
    seconds = sum(f.seconds for f in chosen)
    found: Metadata = {
        "filings": len(chosen),
        "failed": len(failed),
        "mode": record.mode,
        "seconds_of_work": round(seconds, 2),
        **_listed("failures", [f"{f.accession_number}: {f.error}" for f in failed]),
    }
    if year is None:
        rate = len(chosen) / record.seconds if record.seconds else 0.0
        found |= {
            "workers": record.workers,
            "filings_per_second": round(rate, 2),
            "peak_worker_mib": round(max((f.peak_mb for f in chosen), default=0.0)),
        }
    return found


def merged(record: MergeRecord, kind: Kind, year: int | None = None) -> Metadata:
    """Of sections, tables, footnotes or chunks, of one filing year or of all."""
    chosen = [f for f in record.filings if year is None or f.year == year]
    failed = [f for f in chosen if f.error]
    rows = record.rows_of(kind, year)
    found: Metadata = {
        "filings": len(chosen) - len(failed),
        "failed": len(failed),
        "rows_merged": rows,
        "dagster/column_schema": table_schema(kind),
        "dagster/table_name": f"filings.main.{kind}",
        **_listed("failures", [f"{f.accession_number}: {f.error}" for f in failed]),
        **_listed("notices", [notice for f in chosen for notice in f.notices]),
    }
    if year is not None:
        found["dagster/partition_row_count"] = rows
    return found


def health(found: Health, path: str) -> Metadata:
    """Of data_health."""
    return {
        "dagster/uri": path,
        **{name: value for name, value in found.counts().items() if isinstance(value, int | float)},
    }


def _listed(name: str, sentences: list[str]) -> Metadata:
    if not sentences:
        return {}
    more = [f"and {len(sentences) - _SHOWN} more"] if len(sentences) > _SHOWN else []
    return {name: dg.MetadataValue.json([*sentences[:_SHOWN], *more])}
