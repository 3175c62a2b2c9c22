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
from outreach_platform.filings.parsing.document import Document
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

    It gives text and no HTML: the HTML is cut where the text's first and last words stand in our
    document.
    """
    from edgar.documents import HTMLParser, ParserConfig

    source = filing.source()
    document = read_document(source)
    places = _Places(document)
    started = time.perf_counter()
    parsed = HTMLParser(ParserConfig(form=filing.form)).parse(source)
    texts = [(one.part, one.item, one.text() or "") for one in parsed.sections.values()]
    seconds = time.perf_counter() - started
    found: dict[str, Found] = {}
    for part, item, text in texts:
        if not item or not text.strip():
            continue
        start, end = places.of(text)
        name = item_name(filing.form, f"part_{(part or '').lower()}", f"item_{item.lower()}")
        length = len(document.slice_html(start, end)) if start >= 0 else len(text)
        found[name] = Found(length, len(text), "", " ".join(text.split())[:_WORDS])
    return compare(filing, found, seconds)


class _Places:
    """Finds texts in a document by their letters and digits alone."""

    def __init__(self, document: Document) -> None:
        self._offsets = [at for at, c in enumerate(document.text) if c.isalnum()]
        self._said = "".join(document.text[at] for at in self._offsets)

    def of(self, text: str) -> tuple[int, int]:
        """Where a text begins and ends in the document; -1 where its beginning is not found."""
        said = "".join(c for c in text if c.isalnum())
        for first in range(0, 400, 40):
            start = self._last(said[first : first + 60])
            if start >= 0:
                break
        else:
            return -1, -1
        end = self._said.find(said[-60:], start)
        end = end + 60 if end >= 0 else start + len(said)
        return self._offsets[start], self._offsets[min(end, len(self._offsets)) - 1] + 1

    def _last(self, said: str) -> int:
        # The contents come first and read the same.
        return self._said.rfind(said) if said else -1


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
