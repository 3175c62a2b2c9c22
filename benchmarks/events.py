"""Events, from PostgreSQL to the research database, against the floor and the other ways."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console

from benchmarks import events_others as others
from benchmarks import events_readings as readings
from benchmarks.bulk_events import add_day, fresh_database, load_bulk_events
from benchmarks.events_bench import DAYS, Bench
from benchmarks.measure import Timing, in_turns, show
from outreach_platform.embedded.server import EmbeddedServer

FLOOR = "COPY in order, binary, read and discarded"
TABLE = "full and strict, to the indexed table"
VIEW = "full and strict, to the view"
EXPORT = "full and strict, to Parquet alone"
NIGHTLY = "one new day among 90, to the view"
PREDECESSOR = "the predecessor's way"
DLT = "dlt with connectorx to Parquet, unvalidated"
_NOT_THERE = "not installed: run `make install-extras`"


def run(server: EmbeddedServer, folder: Path, *, events: int, rounds: int) -> None:
    """Load the events, measure, print.

    Args:
        server: an embedded server of the benchmark's own.
        folder: scratch.
        events: rows of 90 days.
        rounds: how often each way is measured.
    """
    url = fresh_database(server, "events_bench")
    # The day before the last is loaded as what the night found, the last one comes on top of it.
    now = datetime.now(UTC) - timedelta(days=1)
    held = load_bulk_events(url, events - round(events / DAYS), DAYS - 1, now=now)
    nights = _nights(Bench(url, folder, held), rounds)
    bench = Bench(url, folder, add_day(url))
    others.import_all(folder)
    ways: dict[str, Callable[[], object]] = {
        FLOOR: lambda: others.copy_and_discard(url),
        TABLE: lambda: bench.once(form="table"),
        VIEW: lambda: bench.once(form="view"),
        EXPORT: lambda: bench.once(form=None),
        NIGHTLY: lambda: bench.events(nights.pop(), form="view", full=False),
        PREDECESSOR: lambda: others.predecessor(url, bench.held, DAYS, folder / "old"),
    }
    if others.dlt_installed():
        ways[DLT] = lambda: others.dlt_to_parquet(url, folder / "dlt")
    timings = in_turns(ways, rounds)
    _show_all(timings, bench.held.events)
    readings.run(bench, timings[TABLE])


def _nights(bench: Bench, rounds: int) -> list[Path]:
    """Data folders in which all but the last day has been extracted, exported and synced."""
    base = bench.folder / "night"
    bench.events(base, form="view")
    copies = [bench.folder / f"night-{number}" for number in range(rounds)]
    for copy in copies:
        shutil.copytree(base, copy, symlinks=True)
    return copies


def _show_all(timings: dict[str, Timing], events: int) -> None:
    def table(title: str, ours: str, aims: dict[str, float]) -> None:
        chosen = {name: timings[name] for name in timings if name == ours or name in aims}
        show(f"events: {title}, {events:,} rows", chosen, ours, aims)

    table("indexed research table", TABLE, {FLOOR: 4.0, PREDECESSOR: 0.25})
    table("research view", VIEW, {FLOOR: 2.5, PREDECESSOR: 0.25})
    table("export alone", EXPORT, {DLT: 1.0})
    if DLT not in timings:
        Console(width=110).print(f"{DLT}: {_NOT_THERE}\n")
    table("nightly run", NIGHTLY, {VIEW: 0.1})
