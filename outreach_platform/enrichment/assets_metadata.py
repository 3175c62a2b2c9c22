"""The metadata that enrichment assets show in the UI."""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from outreach_platform.enrichment.entities import Entity
from outreach_platform.enrichment.funnel import Funnel, FunnelRecord
from outreach_platform.enrichment.plots import STAGES, funnel_picture
from outreach_platform.enrichment.records import StageRecord
from outreach_platform.enrichment.tables import Places

Metadata = dict[str, Any]


def workspace(places: Places, record: StageRecord, funnel: Funnel) -> Metadata:
    """Of a workspace table after a pull."""
    return {
        "dagster/row_count": funnel.pulled,
        "dagster/table_name": places.workspace.replace('"', ""),
        "dagster/column_schema": dg.TableSchema(
            [
                dg.TableColumn(name, column.type, constraints=_constraints(places.entity, name))
                for name, column in places.workspace_shape.items()
            ]
        ),
        **record.counts,
        "problems": dg.MetadataValue.json(record.problems),
    }


def _constraints(entity: Entity, column: str) -> dg.TableColumnConstraints:
    is_key = column == entity.key
    return dg.TableColumnConstraints(nullable=not is_key, unique=is_key)


def stages(records: Sequence[StageRecord]) -> Metadata:
    """Of a stage that takes both entities."""
    found: Metadata = {}
    for record in records:
        found |= {f"{record.entity}_{name}": count for name, count in record.counts.items()}
        if record.reasons:
            found[f"{record.entity}_reasons"] = dg.MetadataValue.json(record.reasons)
    problems = [problem for record in records for problem in record.problems]
    return {**found, "problems": dg.MetadataValue.json(problems)}


def funnel(record: FunnelRecord) -> Metadata:
    """The funnel of both entities as a picture."""
    counts = {
        each.entity: {stage: getattr(each, stage) for stage in STAGES} for each in record.funnels
    }
    return {"funnel": dg.MetadataValue.md(funnel_picture(counts))}


def observed(funnel: Funnel, table: str) -> Metadata:
    """Of an invalid table of Neon's."""
    return {
        "dagster/row_count": funnel.invalid,
        "dagster/table_name": table,
        "still_invalid": funnel.still_invalid,
        "chronic": funnel.chronic,
    }
