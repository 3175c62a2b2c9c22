"""The merge of many filings' staged rows, against one INSERT of everything without a check."""

import time
from pathlib import Path

from rich.console import Console

from outreach_platform.filings.database import writer
from outreach_platform.filings.layout import FilingFolder
from outreach_platform.filings.merge import merge_filing
from outreach_platform.filings.model import KINDS
from outreach_platform_tests.support.filing_rows import (
    add_filing,
    planned,
    register,
    rows_of,
    stage,
)

_AIM = 20_000
_RUN = "bench"
_SHAPE = {"sections": 15, "tables": 60, "footnotes": 80, "chunks": 300}
# Of a filing as real ones are: 350 kB of text, the same again in each level of chunks.
_TEXT = {"sections": 23_000, "tables": 900, "footnotes": 200, "chunks": 1_800}
_COLUMN = {
    "sections": "content_html",
    "tables": "table_markdown",
    "footnotes": "footnote_text",
    "chunks": "heading",
}


def merge_rates(folder: Path, *, filings: int) -> None:
    """Stage generated filings, merge them, and print rows a second beside the floor.

    Args:
        folder: for two data folders.
        filings: how many.
    """
    rates = {
        "floor: one INSERT for each table, no checks": _measured(folder / "floor", filings, True),
        "ours: each filing checked, in one transaction": _measured(folder / "ours", filings, False),
    }
    floor, ours = rates.values()
    console = Console()
    for name, rate in rates.items():
        console.print(f"{name}: {rate:,.0f} rows a second")
    console.print(f"{ours / floor:.2f} of the floor; aim {_AIM:,} rows a second")


def _measured(data: Path, filings: int, bare: bool) -> float:
    folder = FilingFolder(data)
    metas = [add_filing(folder, number, n=number) for number in range(filings)]
    for meta in metas:
        stage(folder, _RUN, meta, _sized(rows_of(meta.accession_number, **_SHAPE)))
    rows = 0
    with writer(folder, threads=1) as connection:
        register(connection, *metas)
        started = time.perf_counter()
        if bare:
            for kind in KINDS:
                pattern = folder.staging / _RUN / "*" / f"{kind}.parquet"
                done = connection.execute(
                    f"INSERT INTO {kind} SELECT * FROM read_parquet('{pattern}')"
                ).fetchone()
                rows += done[0] if done else 0
        else:
            for each in planned(*metas):
                rows += sum(merge_filing(connection, folder, _RUN, each).rows.values())
        connection.execute("CHECKPOINT")
        seconds = time.perf_counter() - started
    assert rows == filings * sum(_SHAPE.values()), rows
    return rows / seconds


def _sized(rows: dict) -> dict:
    """Texts of the length that real ones have, each another."""
    for kind, listed in rows.items():
        for number, row in enumerate(listed):
            words = f"{kind} {number} of {row['accession_number']} "
            row[_COLUMN[kind]] = (words * (_TEXT[kind] // len(words) + 1))[: _TEXT[kind]]
    return rows
