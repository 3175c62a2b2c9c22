"""What a foreign database holds, and what came of its import."""

from pathlib import Path

from outreach_platform.filings.dedupe import DedupeReport
from outreach_platform.filings.dedupe_rows import Removal
from outreach_platform.filings.health_records import Gap
from outreach_platform.filings.model import KINDS
from outreach_platform.foundation.lake import Record


class ForeignDatabase(Record):
    """What a foreign database holds.

    Attributes:
        path: its file.
        rows: by table that we know.
        missing: tables of ours that it lacks.
        unknown: tables and columns that have no place here.
    """

    path: str
    rows: dict[str, int]
    missing: list[str]
    unknown: list[str]


class ImportReport(Record):
    """What an import did.

    Attributes:
        source: the foreign file.
        before: its rows by table.
        after: rows that came into ours, by table.
        removed: rows that did not, by table and reason.
        changed: rows that were changed on the way, by table and what was.
        gaps: number of filings by kind that is to be extracted.
        gap_list: those filings and kinds.
        set_aside: rows kept aside by table; those that stand nowhere else.
        aside: the folder they are in; None where there are none.
        problems: sentences for the user.
        removals: rows that did not come, those set aside first; at most 2,000.
    """

    source: str
    before: dict[str, int]
    after: dict[str, int]
    removed: dict[str, int]
    changed: dict[str, int]
    gaps: dict[str, int]
    gap_list: list[Gap]
    set_aside: dict[str, int]
    aside: str | None
    problems: list[str]
    removals: list[Removal]


def report_of(
    described: ForeignDatabase,
    before: dict[str, int],
    after: dict[str, int],
    cleaned: DedupeReport,
    gaps: list[Gap],
    aside: tuple[dict[str, int], Path | None],
) -> ImportReport:
    """Put together what an import did, with sentences for the user.

    Args:
        described: the source.
        before: its rows by table.
        after: rows that came, by table.
        cleaned: what happened to the others.
        gaps: what the imported filings are without.
        aside: rows kept aside by table, and their folder.
    """
    set_aside, folder = aside
    by_kind = {kind: sum(1 for gap in gaps if gap.kind == kind) for kind in KINDS}
    problems = []
    if set_aside:
        listed = ", ".join(f"{number:,} {table}" for table, number in set_aside.items())
        problems.append(
            f"{listed} did not come, because a better row stands or they cannot be placed; they "
            f"are kept, with the reason, in {folder}"
        )
    if any(by_kind.values()):
        listed = ", ".join(f"{number} without {kind}" for kind, number in by_kind.items() if number)
        problems.append(
            f"filings to be extracted: {listed}; register their files with `outreach filings add`, "
            "then run `outreach filings extract --mode missing`"
        )
    if described.unknown:
        problems.append(f"without a place here: {', '.join(described.unknown[:10])}")
    return ImportReport(
        source=described.path,
        before=before,
        after=after,
        removed=cleaned.removed,
        changed=cleaned.changed,
        gaps={kind: number for kind, number in by_kind.items() if number},
        gap_list=gaps,
        set_aside=set_aside,
        aside=None if folder is None else str(folder),
        problems=problems,
        removals=cleaned.removals,
    )
