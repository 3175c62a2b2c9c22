"""What each stage of a run did, kept as a file so that terminal, UI and status read the same."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from outreach_platform.enrichment.layout import EnrichmentFolder
from outreach_platform.foundation.lake import Record, find_record, write_record

# The database has them all; a page shows some.
_SHOWN = 100


class StageRecord(Record):
    """One stage of one entity in one run.

    Attributes:
        run_id: the run.
        stage: pull, push, revalidate, promote.
        entity: company or people.
        at: when it ended, aware.
        counts: records by what became of them.
        reasons: records that stay, by reason code.
        problems: what a person should see, a sentence each, the first hundred.
    """

    run_id: str
    stage: str
    entity: str
    at: datetime
    counts: dict[str, int]
    reasons: dict[str, int] = {}
    problems: list[str] = []


def add_up(total: Any, part: Any) -> None:
    """Add a batch's report, a dataclass of counts and lists, to its stage's."""
    for name, value in vars(part).items():
        setattr(total, name, getattr(total, name) + value)


def stage_record(run_id: str, stage: str, entity: str, report: Any) -> StageRecord:
    """The record of a stage's report, which is a dataclass of counts, reasons and problems."""
    values: Mapping[str, Any] = asdict(report)
    problems = values.get("problems", [])
    more = [f"and {len(problems) - _SHOWN} more"] if len(problems) > _SHOWN else []
    return StageRecord(
        run_id=run_id,
        stage=stage,
        entity=entity,
        at=datetime.now(UTC),
        counts={name: value for name, value in values.items() if isinstance(value, int)},
        reasons=values.get("reasons", {}),
        problems=[*problems[:_SHOWN], *more],
    )


def keep_stage(folder: EnrichmentFolder, record: StageRecord) -> None:
    """Write the record, over an earlier attempt's."""
    write_record(folder.stage(record.run_id, record.stage, record.entity), record)


def find_stage(
    folder: EnrichmentFolder, run_id: str, stage: str, entity: str
) -> StageRecord | None:
    """The record of a stage, None where it was not reached."""
    return find_record(folder.stage(run_id, stage, entity), StageRecord)
