"""One run of the enrichment wing, stage by stage, as assets, scripts and benchmarks run it.

Every stage finds what it needs in the two databases, so each can be run again, in another process,
on another day, after any crash.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from outreach_platform.enrichment import funnel as funnels
from outreach_platform.enrichment.entities import COMPANY, ENTITIES, Entity
from outreach_platform.enrichment.judging import judging_sql, masters_judging_sql
from outreach_platform.enrichment.layout import EMBEDDED, EnrichmentFolder
from outreach_platform.enrichment.promotion import Judges, PromotionReport, promote
from outreach_platform.enrichment.promotion_writes import Promoter
from outreach_platform.enrichment.pull import PullReport, pull
from outreach_platform.enrichment.push import PushReport, push
from outreach_platform.enrichment.quarantine import OfferReport, offer
from outreach_platform.enrichment.revalidation import RevalidationReport, revalidate
from outreach_platform.enrichment.settle import SettleReport, settle
from outreach_platform.enrichment.tables import Places, places_of, prepare_workspace
from outreach_platform.enrichment.tables_neon import prepare_neon
from outreach_platform.enrichment.undo import UndoReport, find_run, undo
from outreach_platform.foundation import audit
from outreach_platform.foundation.errors import UsageError
from outreach_platform.foundation.lake import write_record
from outreach_platform.foundation.locks import NamedLock
from outreach_platform.foundation.postgres.session import Session
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.settings import Settings

BATCH_SIZE = 50


@dataclass
class EnrichmentRun:
    """One run.

    Attributes:
        settings: where the masters stand, and the data folder.
        neon_url: the masters' database.
        workspace_url: the enrichers'.
        run_id: the Dagster run, or any name for the caller.
        batch_size: rows a transaction.
        dry_run: tell what would change, and change nothing.
    """

    settings: Settings
    neon_url: DatabaseUrl
    workspace_url: DatabaseUrl
    run_id: str
    batch_size: int = BATCH_SIZE
    dry_run: bool = False
    folder: EnrichmentFolder = field(init=False)
    neon: Session = field(init=False)
    workspace: Session = field(init=False)
    _places: dict[str, Places] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.folder = EnrichmentFolder(self.settings.data_dir)
        self.neon = Session(self.neon_url, dry_run=self.dry_run)
        self.workspace = Session(self.workspace_url, dry_run=self.dry_run)

    @property
    def schema(self) -> str:
        """Where the masters and the invalid tables stand."""
        return self.settings.toml.pull.schema_name

    @property
    def source(self) -> str:
        """What the masters' database is called in records."""
        return EMBEDDED if self.settings.neon is None else self.neon_url.display

    def lock(self) -> NamedLock:
        """The lock that keeps other runs on this host out; hold it over all stages.

        The databases keep the runs of several hosts apart by themselves, only more slowly.
        """
        return NamedLock(self.folder.lock, "enrichment")

    def close(self) -> None:
        """Give the connections up; in a dry run, with all that was done."""
        self.neon.close()
        self.workspace.close()

    def places(self, entity: Entity) -> Places:
        """The tables of an entity; what is missing is made at the first call.

        Raises:
            SourceError: a table is missing that only its owner can make.
        """
        if not self._places:
            neon = self.neon.run(lambda cursor: prepare_neon(cursor, self.schema))
            workspace = self.workspace.run(prepare_workspace)
            self._places = places_of(self.schema, neon, workspace)
        return self._places[entity.name]

    def pull(self, entity: Entity) -> PullReport:
        """Bring the workspace up to date; see `pull.pull`."""
        places = self.places(entity)
        # A promotion whose process was killed before it told the workspace comes first.
        self.settle(entity)
        return pull(
            self.neon,
            self.workspace,
            places,
            schema=self.schema,
            batch_size=self.batch_size,
            run_id=self.run_id,
        )

    def offer_quarantine(self, entity: Entity) -> OfferReport:
        """Offer what published snapshots rejected to the invalid table; see `quarantine.offer`."""
        return offer(
            self.neon,
            self.places(entity),
            self.places(COMPANY).master_shape,
            data_dir=self.settings.data_dir,
            schema=self.schema,
            source=self.source,
            batch_size=self.batch_size,
            run_id=self.run_id,
        )

    def push(self, entity: Entity) -> PushReport:
        """Bring what enrichers completed into Neon; see `push.push`."""
        return push(
            self.neon,
            self.workspace,
            self.places(entity),
            schema=self.schema,
            batch_size=self.batch_size,
            run_id=self.run_id,
        )

    def revalidate(
        self, entity: Entity, on_passed: Callable[[str], None] = lambda _: None
    ) -> RevalidationReport:
        """Judge what is complete, and give what failed back; see `revalidation.revalidate`."""
        report = revalidate(
            self.neon,
            self.places(entity),
            self._judging(entity, with_passed_companies=True),
            batch_size=self.batch_size,
            run_id=self.run_id,
            on_passed=on_passed,
        )
        self.settle(entity)
        return report

    def promote(self, entity: Entity, ids: Iterable[str] | None = None) -> PromotionReport:
        """Promote what passed, and tell the workspace; see `promotion.promote`."""
        self.neon.run(lambda cursor: audit.ensure_table(cursor.connection))
        report = promote(
            self.neon,
            self.workspace,
            Promoter(self.places(entity), self.schema, self.run_id),
            self._judges(entity),
            batch_size=self.batch_size,
            ids=ids,
        )
        self.settle(entity)
        return report

    def settle(self, entity: Entity) -> SettleReport:
        """Tell the workspace what was decided in Neon; see `settle.settle`."""
        return settle(self.neon, self.workspace, self.places(entity), schema=self.schema)

    def undo(self, undone_run: str) -> dict[str, UndoReport]:
        """Take a run's promotions back, by entity; see `undo.undo`.

        Args:
            undone_run: its id, or the beginning of it.

        Raises:
            UsageError: no run, or several, promoted something under that id.
        """
        chosen = self.promoted_in(undone_run)
        self.neon.run(lambda cursor: audit.ensure_table(cursor.connection))
        reports: dict[str, UndoReport] = {}
        for entity in reversed(ENTITIES):  # people before the companies they need
            self.settle(entity)
            reports[entity.name] = undo(
                self.neon,
                self.places(entity),
                schema=self.schema,
                undone_run=chosen,
                batch_size=self.batch_size,
                run_id=self.run_id,
            )
            # Also where nothing is left to restore: an undo may have been killed before this.
            self.pull(entity)
        return reports

    def promoted_in(self, run_id: str) -> str:
        """The whole id of a run that promoted something.

        Raises:
            UsageError: no run, or several, promoted something under that id.
        """
        self.places(COMPANY)
        return find_run(self.neon, self.schema, run_id)

    def funnel(self, entity: Entity) -> funnels.Funnel:
        """Count an entity's records by stage."""
        return funnels.funnel(self.neon, self.workspace, self.places(entity), schema=self.schema)

    def reconcile(self, entity: Entity) -> funnels.Reconciliation:
        """Compare the two databases; see `funnel.reconcile`."""
        return funnels.reconcile(self.neon, self.workspace, self.places(entity), schema=self.schema)

    def lost_edits(self, entity: Entity) -> tuple[int, tuple[str, ...]]:
        """Pushed rows whose content Neon does not have: how many, and the first ones."""
        return funnels.lost_edits(self.neon, self.workspace, self.places(entity))

    def unjudged(self, entity: Entity) -> tuple[int, tuple[str, ...]]:
        """Completed records without a verdict: how many, and the first ones."""
        return funnels.unjudged(self.neon, self.places(entity))

    def doubled(self, entity: Entity) -> tuple[int, tuple[str, ...]]:
        """Promoted records that are still invalid: how many, and the first ones."""
        return funnels.doubled(self.neon, self.places(entity), schema=self.schema)

    def record_funnel(self) -> funnels.FunnelRecord:
        """Count everything, and keep it for `outreach status`."""
        record = funnels.FunnelRecord(
            run_id=self.run_id,
            at=datetime.now(UTC),
            source=self.source,
            funnels=[self.funnel(entity) for entity in ENTITIES],
        )
        if not self.dry_run:
            write_record(self.folder.funnel, record)
        return record

    @contextmanager
    def passed_ids(self, entity: Entity) -> Iterator[Callable[[str], None]]:
        """A file for the ids that pass, one a line, which is there when the block has ended."""
        path = self.folder.passed(self.run_id, entity.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8") as file:
            yield lambda key: _write_line(file, key)

    def _judges(self, entity: Entity) -> Judges:
        return Judges(
            records=self._judging(entity, with_passed_companies=False),
            masters=masters_judging_sql(self.places(entity), self.schema),
        )

    def _judging(self, entity: Entity, *, with_passed_companies: bool) -> str:
        return judging_sql(
            self.places(entity),
            self.schema,
            self.places(COMPANY).master_shape,
            with_passed_companies=with_passed_companies,
        )


def _write_line(file, text: str) -> None:
    file.write(f"{text}\n")


def read_ids(path: Path) -> Iterator[str]:
    """The ids of a file, one a line; blank lines do not count.

    Raises:
        UsageError: the file cannot be read, or is no UTF-8 text.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            for line in file:
                if text := line.strip():
                    yield text
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise UsageError(f"the ids in {path} cannot be read: {reason}") from None


def ids_of(entity: Entity, path: Path) -> Iterator[str]:
    """The ids of a file without those that name another kind of record.

    An id of no known form stays for every kind: none will have passed under it.
    """
    others = [re.compile(other.key_pattern) for other in ENTITIES if other is not entity]
    return (key for key in read_ids(path) if not any(other.match(key) for other in others))
