"""Real filings read into all four tables, against edgartools alone; the merge against its floor.

edgartools finds sections and tables only, in as many processes, its import included once a process.
"""

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks import filings_quality
from benchmarks.filings_merge import merge_rates
from benchmarks.filings_quality_labels import labelled_filings
from outreach_platform.filings.model import KINDS
from outreach_platform.filings.records import ExtractionRecord, MergeRecord
from outreach_platform.filings.run import FilingsRun
from outreach_platform.foundation.lake import read_record
from outreach_platform.settings import load_settings
from outreach_platform_tests.support.real_data import real_data_folder

WORKERS = 2
_AIM_RATE, _AIM_MIB = 2.0, 500


def run(folder: Path, *, rounds: int, merged_filings: int) -> None:
    """Measure reading, a second run, publishing and merging; print them side by side.

    Args:
        folder: for data folders.
        rounds: each way is measured so often, in turns; the median counts.
        merged_filings: how many generated filings are merged.
    """
    source = _real()
    if source is None:
        return
    ours, theirs, again, publishing = [], [], [], []
    extraction: ExtractionRecord | None = None
    merge: MergeRecord | None = None
    for number in range(rounds):
        theirs.append(_timed(lambda: reference(source)))
        data = folder / f"filings-{number}"
        run = _run(data, "first")
        run.register([str(source)], download=False)
        ours.append(_timed(lambda run=run: run.extract(workers=WORKERS)))
        extraction = _extraction(run)
        merge = run.merge()
        publishing.append(_timed(lambda run=run: run.publish(run.judge()[1])))
        second = _run(data, "second")
        again.append(_timed(lambda run=second: run.extract(mode="all", workers=WORKERS)))
    assert extraction is not None and merge is not None
    _print_reading(extraction, merge, *map(statistics.median, (ours, theirs, again, publishing)))
    merge_rates(folder, filings=merged_filings)


def quality() -> None:
    """Compare found sections with the labels, beside edgartools alone; print the disagreements."""
    source = _real()
    if source is not None:
        filings_quality.run(source, with_reference=True, jobs=WORKERS)


def _real() -> Path | None:
    data = real_data_folder()
    if data is None:
        Console().print("filings: ../shared/data is not there, nothing was measured")
        return None
    return data / "filings"


def _run(data: Path, name: str) -> FilingsRun:
    return FilingsRun(settings=load_settings(data_dir=data), run_id=name)


def _extraction(run: FilingsRun) -> ExtractionRecord:
    return read_record(run.folder.extraction(run.run_id), ExtractionRecord)


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def reference(source: Path) -> int:
    """Sections and tables of all filings by edgartools alone, in two processes."""
    filings = labelled_filings(source)
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn")) as pool:
        return sum(pool.map(_reference_one, [(f.source(), f.form) for f in filings]))


def _reference_one(filing: tuple[str, str]) -> int:
    from edgar.documents import HTMLParser, ParserConfig

    source, form = filing
    document = HTMLParser(ParserConfig(form="10-Q" if "Q" in form else "10-K")).parse(source)
    texts = [section.text() for section in document.sections.values()]
    return len(texts) + len([table.text() for table in document.tables])


def _print_reading(
    extraction: ExtractionRecord,
    merge: MergeRecord,
    ours: float,
    theirs: float,
    again: float,
    publishing: float,
) -> None:
    count = len(extraction.filings)
    peak = max(filing.peak_mb for filing in extraction.filings)
    table = Table(title=f"{count} real filings, {WORKERS} processes", box=box.SIMPLE)
    for name in ("way", "seconds", "filings a second", "to edgartools", "aim"):
        table.add_column(name, justify="left" if name == "way" else "right")
    table.add_row("edgartools: sections, tables", f"{theirs:.1f}", f"{count / theirs:.2f}", "1", "")
    table.add_row(
        "ours: sections, tables, footnotes, chunks",
        f"{ours:.1f}",
        f"{count / ours:.2f}",
        f"{ours / theirs:.2f}",
        f"{_AIM_RATE:.0f} a second",
    )
    table.add_row(
        "ours again, nothing changed", f"{again:.2f}", "", f"{again / theirs:.3f}", "seconds"
    )
    table.add_row("health, publishing, full-text index", f"{publishing:.1f}", "", "", "")
    console = Console()
    console.print(table)
    rows = ", ".join(f"{merge.rows_of(kind):,} {kind}" for kind in KINDS)
    console.print(f"{rows}; merged in {merge.seconds:.1f} s; {len(merge.failed)} failed")
    console.print(f"largest worker {peak:.0f} MiB (aim {_AIM_MIB})")
