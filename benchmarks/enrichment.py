"""The round trip of many invalid companies, against row by row statements and the bare floor.

On a server that flushes its commits to disk, as every server does that keeps real records: without,
a commit a row would cost next to nothing.
"""

import multiprocessing
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.bulk_enrichment import complete_all, make_rows
from benchmarks.bulk_events import fresh_database
from benchmarks.enrichment_rows import STAGES, floor, row_by_row
from benchmarks.events_memory import peak_mib
from outreach_platform.embedded.server import EmbeddedServer, ensure_running
from outreach_platform.enrichment.entities import COMPANY
from outreach_platform.enrichment.run import EnrichmentRun
from outreach_platform.enrichment.waiting import waiting_batch
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.settings import load_settings

_BATCHES = (50, 100, 1000)
_AIM, _TICK_AIM_MS = 0.1, 200
_TICKS = 20
# Row by row is linear, and minutes long with all of them.
_PART = 5

Seconds = dict[str, float]


@dataclass(frozen=True)
class _Measured:
    """One way of doing the round trip."""

    records: int
    seconds: Seconds
    peak: float | None = None

    def us(self, stage: str) -> float:
        """Microseconds a record."""
        return self.seconds[stage] / self.records * 1e6

    @property
    def total(self) -> float:
        """Microseconds a record for all stages."""
        return sum(map(self.us, STAGES))


def run(folder: Path, *, records: int, rounds: int) -> None:
    """Measure every way `rounds` times in turns, then the sensor's look; print both.

    Args:
        folder: scratch.
        records: invalid companies.
        rounds: of each way.
    """
    server = ensure_running(folder / "durable")
    try:
        _run(server, folder, records, rounds)
    finally:
        server.release()


def _run(server: EmbeddedServer, folder: Path, records: int, rounds: int) -> None:
    part = max(records // _PART, 1)
    ways: dict[str, Callable[[], _Measured]] = {
        "floor: bulk, no checks": lambda: _other(server, records, floor),
        "row by row, a commit each": lambda: _other(server, part, row_by_row),
        **{
            f"ours, batches of {size}": lambda size=size: _ours(server, folder, records, size)
            for size in _BATCHES
        },
        f"ours, batches of {_BATCHES[0]}, {part:,} records": lambda: _ours(
            server, folder, part, _BATCHES[0]
        ),
    }
    found: dict[str, list[_Measured]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            found[name].append(way())
    _show(found, records)
    _show_ticks(_ticks(server, records))


def _databases(server: EmbeddedServer, records: int) -> tuple[DatabaseUrl, DatabaseUrl]:
    neon, workspace = (fresh_database(server, f"enrichment_{name}") for name in ("neon", "work"))
    make_rows(neon, workspace, records)
    return neon, workspace


def _other(
    server: EmbeddedServer, records: int, way: Callable[[DatabaseUrl, DatabaseUrl], Seconds]
) -> _Measured:
    return _Measured(records, way(*_databases(server, records)))


def _ours(server: EmbeddedServer, folder: Path, records: int, batch_size: int) -> _Measured:
    """Our stages in a process of their own, which tells its peak memory."""
    neon, workspace = _databases(server, records)
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(
        target=_stages, args=(neon, workspace, folder / "enrichment", batch_size, sender)
    )
    process.start()
    sender.close()
    try:
        seconds, peak = receiver.recv()
    except EOFError:
        raise RuntimeError("the measured run failed; its error stands above") from None
    finally:
        process.join()
    return _Measured(records, seconds, peak)


def _stages(
    neon: DatabaseUrl, workspace: DatabaseUrl, folder: Path, batch_size: int, sender: Connection
) -> None:
    run = EnrichmentRun(
        load_settings(data_dir=folder), neon, workspace, f"bench-{time.time()}", batch_size
    )
    run.places(COMPANY)
    seconds: Seconds = {}
    with run.passed_ids(COMPANY) as write:
        work: Mapping[str, Callable[[], object]] = {
            "pull": lambda: run.pull(COMPANY),
            "push": lambda: run.push(COMPANY),
            "revalidate": lambda: run.revalidate(COMPANY, write),
            "promote": lambda: run.promote(COMPANY),
        }
        for stage in STAGES:
            started = time.perf_counter()
            work[stage]()
            seconds[stage] = time.perf_counter() - started
            if stage == "pull":
                complete_all(workspace)
    run.close()
    sender.send((seconds, peak_mib()))


def _ticks(server: EmbeddedServer, records: int) -> list[float]:
    """Milliseconds of the sensor's look at so many waiting rows, connecting included."""
    neon, workspace = _databases(server, records)
    run = EnrichmentRun(load_settings(), neon, workspace, "bench", batch_size=_BATCHES[-1])
    run.pull(COMPANY)
    run.close()
    complete_all(workspace)
    found = []
    for _ in range(_TICKS):
        started = time.perf_counter()
        batch = waiting_batch(workspace)
        found.append((time.perf_counter() - started) * 1e3)
        if batch is None or batch.rows != records:
            raise RuntimeError("the sensor does not see the rows that wait")
    return sorted(found)


def _show(found: Mapping[str, list[_Measured]], records: int) -> None:
    table = Table(
        box=box.SIMPLE_HEAD,
        title=f"enrichment: {records:,} invalid companies, microseconds a record (medians); "
        f"row by row with {max(records // _PART, 1):,}",
        title_justify="left",
    )
    for name in ("way", *STAGES, "all", "/ row by row", "aim", "", "peak MiB"):
        table.add_column(name, justify="left" if name == "way" else "right")
    rows = statistics.median(each.total for each in found["row by row, a commit each"])
    for name, measured in found.items():
        total = statistics.median(each.total for each in measured)
        peaks = [each.peak for each in measured if each.peak is not None]
        ours = name.startswith("ours")
        table.add_row(
            name,
            *(f"{statistics.median(each.us(stage) for each in measured):,.0f}" for stage in STAGES),
            f"{total:,.0f}",
            f"{total / rows:.2f}",
            f"{_AIM:.2f}" if ours else "",
            ("met" if total / rows <= _AIM else "missed") if ours else "",
            f"{max(peaks):,.0f}" if peaks else "",
        )
    Console(width=130).print(table)


def _show_ticks(milliseconds: list[float]) -> None:
    middle, worst = statistics.median(milliseconds), milliseconds[-1]
    verdict = "met" if worst <= _TICK_AIM_MS else "missed"
    Console(width=110).print(
        f"a sensor's look at them: median {middle:.0f} ms, longest of {len(milliseconds)} "
        f"{worst:.0f} ms; aim {_TICK_AIM_MS} ms, {verdict}"
    )
