"""What was counted in a database, as `filings health --json` prints it."""

from outreach_platform.foundation.lake import Record


class Coverage(Record):
    """One kind in one filing year.

    Attributes:
        kind: sections, tables, footnotes or chunks.
        year: the filing year; None where it is not registered.
        filings: registered and not refused.
        filled: those with rows.
        row_count: their rows.
    """

    kind: str
    year: int | None
    filings: int
    filled: int
    row_count: int


class Gap(Record):
    """A kind that a filing is without."""

    accession_number: str
    kind: str
    reason: str


class Failure(Record):
    """A kind whose extraction failed, and why."""

    accession_number: str
    kind: str
    error: str


class Place(Record):
    """A section, or a chunk of one, and what is wrong there."""

    accession_number: str
    section_part: str
    section_type: str
    reason: str


class Health(Record):
    """What was counted in a database.

    Attributes:
        path: the file.
        filings_with_sections: filings with at least one row; so for the other kinds.
        total_filings: all registered ones, the refused too.
        duplicates: rows beyond the first of each natural key.
        orphans: rows whose filing, section, table or parent chunk is missing.
        db_size: the file's size in bytes, as DuckDB counts its blocks.
        coverage: by kind and filing year.
        pending: kinds of filings that were not extracted yet, by kind.
        failures: kinds of filings whose extraction failed.
        gaps: kinds of filings that are not there, pending and failed ones included.
        refused: number of refused filings by reason.
        duplicates_by: rows too many by table and key, where there are any.
        orphans_by: by what is missing, where there are any.
        most_footnotes: of one filing; the ceiling is compared with it.
        most_footnotes_in: that filing.
        uncovered: number of sections whose text is not in chunks.
        uncovered_examples: some of them.
        unresolved: number of chunks whose offsets do not give their text.
        unresolved_examples: some of them.
        unstable_ids: ids that are not the hash of their natural key, by table.
        stale: filings extracted by another version of the parser, by kind.
    """

    path: str
    filings_with_sections: int
    filings_with_tables: int
    filings_with_footnotes: int
    filings_with_chunks: int
    total_filings: int
    duplicates: int
    orphans: int
    db_size: int
    coverage: list[Coverage]
    pending: dict[str, int]
    failures: list[Failure]
    gaps: list[Gap]
    refused: dict[str, int]
    duplicates_by: dict[str, int]
    orphans_by: dict[str, int]
    most_footnotes: int
    most_footnotes_in: str | None
    uncovered: int
    uncovered_examples: list[Place]
    unresolved: int
    unresolved_examples: list[Place]
    unstable_ids: dict[str, int]
    stale: dict[str, int]

    def counts(self) -> dict[str, int]:
        """The columns of the view `data_health`, and the totals of what else is counted."""
        return {
            "filings_with_sections": self.filings_with_sections,
            "filings_with_tables": self.filings_with_tables,
            "filings_with_footnotes": self.filings_with_footnotes,
            "filings_with_chunks": self.filings_with_chunks,
            "total_filings": self.total_filings,
            "duplicates": self.duplicates,
            "orphans": self.orphans,
            "db_size": self.db_size,
            "refused": sum(self.refused.values()),
            "pending": sum(self.pending.values()),
            "failures": len(self.failures),
            "gaps": len(self.gaps),
            "uncovered": self.uncovered,
            "unresolved": self.unresolved,
        }
