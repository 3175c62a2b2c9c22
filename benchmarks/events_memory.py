"""Peak memory and time of one run of events, in a process of its own, with millions of rows."""

import multiprocessing
import resource
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.bulk_events import fresh_database, load_bulk_events
from benchmarks.events_bench import FORMS, Bench, Form
from outreach_platform.embedded.server import EmbeddedServer

_AIM_MIB = 1024
# A quarter and all of it, so that it is seen whether time and memory grow with the rows.
_DAYS = (20, 80)


def run(server: EmbeddedServer, folder: Path, *, events: int) -> None:
    """Load the events, run three windows of them, print peaks and times.

    Args:
        server: an embedded server of the benchmark's own.
        folder: scratch.
        events: rows of 80 days.
    """
    url = fresh_database(server, "events_memory")
    bench = Bench(url, folder / "memory", load_bulk_events(url, events, days=_DAYS[-1]))
    table = Table(
        box=box.SIMPLE_HEAD,
        title=f"events: memory and time, {events:,} rows in the source",
        title_justify="left",
    )
    for name in ("form", "rows", "s", "µs a row", "peak MiB", "aim", ""):
        table.add_column(name, justify="left" if name == "form" else "right")
    for form in FORMS:
        for days in _DAYS:
            rows, seconds, peak = _measured(bench, form, days)
            table.add_row(
                form,
                f"{rows:,}",
                f"{seconds:.1f}",
                f"{seconds / rows * 1e6:.2f}",
                f"{peak:,.0f}",
                f"{_AIM_MIB:,}",
                "met" if peak <= _AIM_MIB else "missed",
            )
    Console(width=110).print(table)


def _measured(bench: Bench, form: Form, days: int) -> tuple[int, float, float]:
    """Rows, seconds and peak MiB of one run in a new process."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_one_window, args=(bench, form, days, sender))
    process.start()
    sender.close()
    try:
        return receiver.recv()
    except EOFError:
        raise RuntimeError("the measured run failed; its error stands above") from None
    finally:
        process.join()


def _one_window(bench: Bench, form: Form, days: int, sender: Connection) -> None:
    started = time.perf_counter()
    rows = bench.events(bench.folder / f"{form}-{days}", form=form, days=days)
    sender.send((rows, time.perf_counter() - started, peak_mib()))


def peak_mib() -> float:
    """Of this process alone: getrusage also counts what its parent held when it was started."""
    if sys.platform == "linux":
        status = Path("/proc/self/status").read_text(encoding="ascii")
        line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 / 1024
