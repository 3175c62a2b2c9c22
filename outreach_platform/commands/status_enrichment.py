"""What `outreach status` says of the enrichment workspace."""

from typing import Any

from outreach_platform.commands.status import age_of
from outreach_platform.enrichment.funnel import Funnel, FunnelRecord
from outreach_platform.enrichment.layout import EnrichmentFolder
from outreach_platform.foundation.lake import find_record
from outreach_platform.settings import Settings

_COUNTS = (
    *("invalid", "pulled", "pending", "in_progress", "complete", "pushed", "passed"),
    *("promoted", "still_invalid"),
)


def enrichment_rows(settings: Settings) -> list[dict[str, Any]]:
    """The funnel, one row an entity, as it was after the last run; read from disk alone."""
    record = find_record(EnrichmentFolder(settings.data_dir).funnel, FunnelRecord)
    if record is None:
        return [
            {
                "workspace": name,
                "status": "never run",
                "age": None,
                **dict.fromkeys(_COUNTS),
                "problems": [],
            }
            for name in ("company", "people")
        ]
    return [
        {
            "workspace": funnel.entity,
            "status": "waiting" if funnel.waiting else "up to date",
            "age": age_of(record.at),
            **{name: getattr(funnel, name) for name in _COUNTS},
            "problems": _problems(funnel),
        }
        for funnel in record.funnels
    ]


def _problems(funnel: Funnel) -> list[str]:
    problems = []
    if funnel.problems:
        problems.append(
            f"{funnel.problems} rows hang, see sync_problem in the workspace beside them"
        )
    if funnel.chronic:
        problems.append(f"{funnel.chronic} records failed three times or more")
    if funnel.undefined:
        problems.append(f"{funnel.undefined} rows have a status that nobody defined")
    return problems
