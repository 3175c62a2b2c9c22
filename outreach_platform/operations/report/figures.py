"""All figures of the report, from the records that the wings keep on disk: counts, no rows.

What cannot be read is named and leaves the other figures as they are.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from outreach_platform.enrichment.funnel import Funnel, FunnelRecord
from outreach_platform.enrichment.layout import EnrichmentFolder
from outreach_platform.enrichment.records import StageRecord
from outreach_platform.events.layout import EventFolder
from outreach_platform.events.records import DayManifest, ExportManifest
from outreach_platform.filings.health import read_health
from outreach_platform.filings.health_records import Coverage
from outreach_platform.filings.layout import FilingFolder
from outreach_platform.foundation.errors import IntegrityError, OutreachError
from outreach_platform.foundation.lake import read_record
from outreach_platform.operations.report.figures_states import StateFigures, state_figures
from outreach_platform.records.states import STATES
from outreach_platform.settings import Settings


@dataclass(frozen=True)
class EnrichmentFigures:
    """The workspace.

    Attributes:
        at: when it was counted last, None before the first run.
        funnels: one an entity.
        promoted: records promoted by UTC day and entity.
    """

    at: datetime | None = None
    funnels: list[Funnel] = field(default_factory=list)
    promoted: dict[date, dict[str, int]] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class EventFigures:
    """Behavioural events.

    Attributes:
        days: good and quarantined rows by UTC day.
        errors: rows by violated rule, over all days.
        undated: rows without a date.
        newest: the export that `latest` leads to.
    """

    days: dict[date, tuple[int, int]] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    undated: int = 0
    newest: ExportManifest | None = None
    unreadable: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class FilingFigures:
    """SEC filings, as the published database has them.

    Attributes:
        at: when it was published, None before.
        counts: see `Health.counts`.
        coverage: by kind and filing year.
        refused: number of refused filings by reason.
    """

    at: datetime | None = None
    counts: dict[str, int] = field(default_factory=dict)
    coverage: list[Coverage] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Figures:
    """What the page shows.

    Attributes:
        at: when it was gathered, aware, UTC.
    """

    at: datetime
    states: list[StateFigures]
    enrichment: EnrichmentFigures
    events: EventFigures
    filings: FilingFigures

    @property
    def unreadable(self) -> list[str]:
        """One sentence for each record that could not be read."""
        parts = (*self.states, self.enrichment, self.events, self.filings)
        return [sentence for part in parts for sentence in part.unreadable]


def gather(settings: Settings, now: datetime | None = None) -> Figures:
    """Read everything.

    Args:
        settings: data folder and limits.
        now: aware; the clock's by default.
    """
    return Figures(
        at=(now or datetime.now(UTC)).astimezone(UTC),
        states=[state_figures(settings, state) for state in STATES],
        enrichment=enrichment_figures(settings),
        events=event_figures(settings),
        filings=filing_figures(settings),
    )


def enrichment_figures(settings: Settings) -> EnrichmentFigures:
    """The newest funnel, and what the runs promoted."""
    folder = EnrichmentFolder(settings.data_dir)
    unreadable: list[str] = []
    record = None
    try:
        record = read_record(folder.funnel, FunnelRecord)
    except FileNotFoundError:
        pass
    except IntegrityError as error:
        unreadable.append(str(error))
    promoted: dict[date, dict[str, int]] = {}
    for path in sorted((folder.root / "runs").glob("*/promote_*.json")):
        try:
            stage = read_record(path, StageRecord)
        except (FileNotFoundError, IntegrityError) as error:
            unreadable.append(str(error))
            continue
        done = stage.counts.get("inserted", 0) + stage.counts.get("updated", 0)
        day = promoted.setdefault(stage.at.astimezone(UTC).date(), {})
        day[stage.entity] = day.get(stage.entity, 0) + done
    return EnrichmentFigures(
        at=record.at.astimezone(UTC) if record else None,
        funnels=record.funnels if record else [],
        promoted=dict(sorted(promoted.items())),
        unreadable=unreadable,
    )


def event_figures(settings: Settings) -> EventFigures:
    """The days that stand, and the newest export."""
    folder = EventFolder(settings.data_dir)
    days: dict[date, tuple[int, int]] = {}
    errors: Counter[str] = Counter()
    undated, unreadable = 0, []
    for name in folder.standing_days():
        try:
            manifest = read_record(folder.manifest(name), DayManifest)
        except (FileNotFoundError, IntegrityError) as error:
            unreadable.append(str(error))
            continue
        errors.update(manifest.errors)
        try:
            days[date.fromisoformat(name)] = (manifest.file.rows, manifest.quarantined)
        except ValueError:
            undated += manifest.file.rows + manifest.quarantined
    return EventFigures(days, dict(errors), undated, folder.newest(), unreadable)


def filing_figures(settings: Settings) -> FilingFigures:
    """What the published database holds, counted in a copy that no run writes."""
    path = FilingFolder(settings.data_dir).published
    if not path.exists():
        return FilingFigures()
    try:
        health = read_health(path)
    except OutreachError as error:
        return FilingFigures(unreadable=[str(error)])
    return FilingFigures(
        at=datetime.fromtimestamp(path.stat().st_mtime, UTC),
        counts=health.counts(),
        coverage=health.coverage,
    )
