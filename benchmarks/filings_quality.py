"""Sections found in labelled filings, against the labels and against edgartools' parser alone.

`python -m benchmarks.filings_quality [--data FOLDER] [--reference] [--jobs 2] [--only PART]`

A label file says for each item how many characters of HTML it has, 0 where the filing has none.
Another extractor wrote the labels, so a disagreement is a question and not yet an error: the list
shows what the section begins with and which heading was found.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.filings_quality_labels import (
    Found,
    Labelled,
    Score,
    compare,
    item_name,
    labelled_filings,
    total,
)
from outreach_platform.filings.model import accession_year
from outreach_platform.filings.parsing.reader import read_document

_WORDS = 110


def ours(filing: Labelled) -> Score:
    """The project's sections of a filing, compared; seconds are those of reading and finding."""
    from outreach_platform.filings.parsing.sections import find_sections

    source = filing.source()
    started = time.perf_counter()
    document = read_document(source)
    sections = find_sections(document, filing.form, accession_year(filing.accession))
    seconds = time.perf_counter() - started
    found = {}
    for section in sections:
        text = document.text[section.start : section.end]
        body = document.text[max(section.heading_end, section.start) : section.end]
        found[item_name(filing.form, section.section_part, section.section_type)] = Found(
            length=len(document.slice_html(section.start, section.end)) or len(text),
            text_length=len(text.strip()),
            heading=" ".join(text[: len(text) - len(body)].split())[:_WORDS],
            opening=" ".join(body.split())[:_WORDS],
            confidence=section.confidence,
        )
    return compare(filing, found, seconds)


def reference(filing: Labelled) -> Score:
    """Edgartools' sections of a filing, compared.

    It gives text and no HTML, so lengths are judged by the ratio that the whole document has.
    """
    from outreach_platform.filings.parsing.second_opinion import edgar_proposals

    source = filing.source()
    ratio = len(source) / max(len(read_document(source).text), 1)
    started = time.perf_counter()
    proposals = edgar_proposals(source, filing.form)
    seconds = time.perf_counter() - started
    found = {
        item_name(filing.form, one.section_part, one.section_type): Found(
            int(one.length * ratio), one.length, "", one.opening[:_WORDS]
        )
        for one in proposals
    }
    return compare(filing, found, seconds)


def measured(
    way: Callable[[Labelled], Score], filings: Sequence[Labelled], jobs: int
) -> list[Score]:
    """Each filing's comparison, in the order of the filings."""
    if jobs == 1:
        return [way(filing) for filing in filings]
    with ProcessPoolExecutor(jobs) as pool:
        return list(pool.map(way, filings))


def run(folder: Path, *, with_reference: bool = False, jobs: int = 1, only: str = "") -> Score:
    """Measure and print.

    Args:
        folder: the labelled filings.
        with_reference: edgartools' parser too; it takes seconds a filing.
        jobs: processes; with more than one, seconds are those of processes side by side.
        only: takes only accession numbers that contain it.

    Returns:
        Ours over all filings.
    """
    filings = labelled_filings(folder, only)
    ways: dict[str, Callable[[Labelled], Score]] = {"ours": ours}
    if with_reference:
        ways["edgartools alone"] = reference
    scores = {name: total(measured(way, filings, jobs)) for name, way in ways.items()}
    console = Console(width=150)
    _show_scores(console, scores, len(filings))
    for name, score in scores.items():
        _show_differences(console, name, score)
    return scores["ours"]


def _show_scores(console: Console, scores: dict[str, Score], filings: int) -> None:
    table = Table(
        box=box.SIMPLE_HEAD, title=f"sections of {filings} labelled filings", title_justify="left"
    )
    for name in ("way", "items", "right", "share", "precision", "recall", "median s", "max s"):
        table.add_column(name, justify="left" if name == "way" else "right")
    for name, score in scores.items():
        table.add_row(
            name,
            str(score.total),
            str(score.right),
            f"{score.share:.1%}",
            f"{score.precision:.1%}",
            f"{score.recall:.1%}",
            f"{statistics.median(score.seconds or [0]):.2f}",
            f"{max(score.seconds or [0]):.2f}",
        )
    console.print(table)


def _show_differences(console: Console, name: str, score: Score) -> None:
    table = Table(box=box.SIMPLE_HEAD, title=f"{name}: disagreements", title_justify="left")
    for column in ("filing", "item", "what", "labels", "found", "heading | opening"):
        table.add_column(column, overflow="fold")
    for difference in score.differences:
        item = difference.found
        table.add_row(
            difference.filing,
            difference.item,
            difference.kind,
            str(difference.labelled),
            str(item.length) if item else "",
            f"{item.heading} | {item.opening}" if item else "",
        )
    console.print(table, markup=False)


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.filings_quality")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--reference", action="store_true")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", default="")
    chosen = parser.parse_args()
    named = os.environ.get("OUTREACH_REAL_DATA")
    data = Path(named) if named else Path(__file__).parents[2] / "shared" / "data"
    folder = chosen.data or data / "filings"
    run(folder, with_reference=chosen.reference, jobs=chosen.jobs, only=chosen.only)


if __name__ == "__main__":
    main()
