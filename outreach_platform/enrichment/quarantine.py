"""Quarantine: what published snapshots rejected, offered to the invalid tables.

A snapshot says which records to look at. What is written is the master's row as it is now, judged
again by the snapshot's rules: it may have been mended or promoted since. Rows are locked in the
order in which a promotion locks them, first the invalid ones, then the masters.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from psycopg2.extensions import cursor as Cursor

from outreach_platform.enrichment.content import Content, errors_by_column
from outreach_platform.enrichment.entities import COMPANY, PEOPLE
from outreach_platform.enrichment.log import log_stage
from outreach_platform.enrichment.published import BadRows, newest_bad_rows
from outreach_platform.enrichment.quarantine_masters import MasterRow, Masters, Verdicts, blank
from outreach_platform.enrichment.quarantine_writes import Offer, Writer
from outreach_platform.enrichment.records import add_up
from outreach_platform.enrichment.rows import InvalidRow, read_invalid
from outreach_platform.enrichment.rules import described, described_warnings
from outreach_platform.enrichment.tables import Places
from outreach_platform.foundation.errors import IntegrityError
from outreach_platform.foundation.postgres.session import Session
from outreach_platform.foundation.postgres.shape import Shape
from outreach_platform.foundation.warehouse import bulk_engine, quote_identifier

_TABLES = {COMPANY.name: "companies_bad", PEOPLE.name: "people_bad"}
_COMPANY_NOT_VALID = "company_not_valid"
# Rows in any other status are somebody's work.
_FREE = (None, "pending", "failed")


@dataclass
class OfferReport:
    """What became of one entity's rows that snapshots rejected.

    Attributes:
        snapshots: published versions that were read, the newest of each state.
        read: their bad rows.
        inserted, refreshed, unchanged: what became of them in the invalid table.
        protected: rows whose master is newer and which enrichers work on or have pushed.
        mended: rows whose master breaks no rule any more.
        gone: rows that the master has no more.
        left_out: people whose only fault is their company.
        problems: damaged versions, and rows that cannot be offered, a sentence each.
    """

    snapshots: int = 0
    read: int = 0
    inserted: int = 0
    refreshed: int = 0
    unchanged: int = 0
    protected: int = 0
    mended: int = 0
    gone: int = 0
    left_out: int = 0
    problems: list[str] = field(default_factory=list)


def offer(
    neon: Session,
    places: Places,
    companies: Shape,
    *,
    data_dir: Path,
    schema: str,
    source: str,
    batch_size: int,
    run_id: str,
) -> OfferReport:
    """Offer the bad rows of each state's newest snapshot to one entity's invalid table.

    Args:
        neon: the masters' database.
        places: the entity's tables.
        companies: what company_master is made of; people get their company's name from it.
        data_dir: where snapshots are published.
        schema: of the tables in Neon.
        source: what the masters' database is called in records.
        batch_size: rows a transaction.
        run_id: for the log.

    Raises:
        SourceError: the database is away, refuses, or the master lacks a column that a rule reads;
            offered batches stay offered.
    """
    entity = places.entity
    offerer = _Offerer(places, Masters(places, companies, schema), run_id)
    offerer.masters.check()
    found, problems = newest_bad_rows(
        *(data_dir, _TABLES[entity.name]),
        key=entity.key,
        without=_COMPANY_NOT_VALID,
        source=source,
    )
    report = OfferReport(snapshots=len(found), problems=problems)
    if not found:
        return report
    with bulk_engine(data_dir / "lake" / ".spill" / "enrichment") as engine:
        for rows in found:
            try:
                tally = rows.tally(engine)
                report.read += tally.rows
                report.left_out += tally.left_out
                report.problems += offerer.nameless(rows, tally.nameless)
                for keys in rows.keys(engine, batch_size):
                    part = neon.run(lambda cursor, r=rows, k=keys: offerer.batch(cursor, r, k))
                    add_up(report, part)
            except IntegrityError as error:
                report.problems.append(str(error))
    return report


@dataclass(frozen=True)
class _Offerer:
    places: Places
    masters: Masters
    run_id: str

    def nameless(self, rows: BadRows, count: int) -> list[str]:
        """A sentence on rows without a key, if there are such."""
        if not count:
            return []
        return [
            f"{rows.name}: {count} bad rows have no {rows.key} and cannot be offered: give each "
            f"one in {self.masters.name}"
        ]

    def batch(self, cursor: Cursor, rows: BadRows, keys: Sequence[str]) -> OfferReport:
        """Offer one batch of keys in its transaction."""
        key = quote_identifier(rows.key)
        where = f"t.{key} = ANY(%s) ORDER BY t.{key}"
        found = read_invalid(cursor, self.places, where, [list(keys)], lock="FOR UPDATE")
        present = {row.key: row for row in found}
        masters = self.masters.read(cursor, keys)
        verdicts = self.masters.judge(cursor, [master.judged for master in masters])
        bad = [master for master in masters if verdicts[master.key][0]]
        new = [self.made(m, m.content, verdicts) for m in bad if m.key not in present]
        changed = self.changed(cursor, bad, present)
        free = [each for each in changed if _is_free(present[each.master.key])]
        writer = Writer(self.places, self.masters.name)
        inserted, refused = writer.insert(cursor, new, rows.version)
        refreshed, refused_too = writer.refresh(cursor, free)
        problems = refused + refused_too
        log_stage(
            *(cursor, self.places, self.run_id, "offer"),
            source=self.places.master,
            target=self.places.invalid,
            passed=inserted + refreshed,
            failed=len(problems),
        )
        protected = len(changed) - len(free)
        return OfferReport(
            inserted=inserted,
            refreshed=refreshed,
            unchanged=len(bad) - inserted - refreshed - protected - len(problems),
            protected=protected,
            mended=len(masters) - len(bad),
            gone=len(keys) - len(masters),
            problems=problems,
        )

    def made(self, master: MasterRow, content: Content, verdicts: Verdicts) -> Offer:
        """What is written of a master that breaks rules."""
        entity = self.places.entity
        codes, warnings = verdicts[master.key]
        said = described(entity, codes, content)
        noted = described_warnings(entity, warnings)
        return Offer(master, content, said.reason_code or "INVALID", said.errors, noted)

    def changed(
        self, cursor: Cursor, bad: Sequence[MasterRow], present: dict[str, InvalidRow]
    ) -> list[Offer]:
        """What rows would say if their newer masters were brought in, as far as it differs.

        A row that came from the master follows it. One of another origin keeps what the master
        says nothing about; where the two together break no rule, it is as good as it can get.
        """
        newer = [m for m in bad if m.key in present and _is_newer(m, present[m.key])]
        ours = self.came_from_master(cursor, [master.key for master in newer])
        contents = {
            master.key: _brought_in(master, present[master.key], master.key in ours)
            for master in newer
        }
        verdicts = self.masters.judge(
            cursor, [m.judged_as(self.places, contents[m.key]) for m in newer]
        )
        made = [self.made(m, contents[m.key], verdicts) for m in newer if verdicts[m.key][0]]
        return [each for each in made if _differs(each, present[each.master.key])]

    def came_from_master(self, cursor: Cursor, keys: list[str]) -> set[str]:
        """The rows that were offered before, or by somebody else who copied the master."""
        if not keys or "source_table" not in self.places.invalid_shape:
            return set()
        key = quote_identifier(self.places.entity.key)
        cursor.execute(
            f"SELECT t.{key} FROM {self.places.invalid} t "
            f"WHERE t.{key} = ANY(%s) AND t.source_table = %s",
            [keys, self.masters.name],
        )
        return {name for (name,) in cursor.fetchall()}


def _is_newer(master: MasterRow, row: InvalidRow) -> bool:
    """Whether the master was changed after the row; a master without a time never says so."""
    if master.updated_at is None:
        return False
    return row.updated_at is None or master.updated_at > row.updated_at


def _is_free(row: InvalidRow) -> bool:
    """Whether no enricher has put anything into the row yet."""
    return row.status in _FREE and row.pushed_version is None


def _brought_in(master: MasterRow, row: InvalidRow, follows: bool) -> Content:
    """The row's content with the master's in it, by the columns that the master has."""
    return {
        column: value if follows or not blank(value) else row.content.get(column)
        for column, value in master.content.items()
    }


def _differs(offered: Offer, row: InvalidRow) -> bool:
    same = all(row.content.get(column) == value for column, value in offered.content.items())
    return not same or errors_by_column(row.errors) != offered.errors
