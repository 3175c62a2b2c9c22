"""Peak memory of one state's run, in a process of its own, with millions of people."""

import multiprocessing
import resource
import sys
from pathlib import Path

from rich.console import Console

from benchmarks.bulk import load_bulk, load_bulk_people_only
from outreach_platform.embedded.server import EmbeddedServer
from outreach_platform.foundation.objects.local import LocalStore
from outreach_platform.settings import load_settings
from outreach_platform.snapshots.run import SnapshotRun

_STATE = "PA"
_AIM_MIB = 1024


def run(server: EmbeddedServer, folder: Path, *, people: int) -> None:
    """Load `people` people over six states, run one state, print the peak.

    Args:
        server: an embedded server of the benchmark's own.
        folder: scratch.
        people: rows of people_master.
    """
    url = server.url("neon")
    load_bulk(url)
    load_bulk_people_only(url, people)
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    process = context.Process(target=_one_state, args=(url.conninfo, folder / "memory", results))
    process.start()
    rows, peak = results.get()
    process.join()
    verdict = "met" if peak <= _AIM_MIB else "missed"
    Console(width=110).print(
        f"memory: {people:,} people in the table, {rows:,} rows of {_STATE} pulled, split and "
        f"published: peak {peak:,.0f} MiB, aim {_AIM_MIB:,} MiB ({verdict})"
    )


def _one_state(conninfo: str, data_dir: Path, results) -> None:
    settings = load_settings(NEON_DATABASE_URL=conninfo).model_copy(update={"data_dir": data_dir})
    if settings.neon is None:
        raise RuntimeError("the benchmark's database is not configured")
    store = LocalStore(data_dir / "objects", "benchmark")
    step = SnapshotRun(settings, _STATE, settings.neon, store, run_id="benchmark")
    pulled = step.pull()
    step.split(pulled.version)
    step.judge(pulled.version)
    step.export(pulled.version)
    step.upload(pulled.version)
    step.record(pulled.version)
    unit = 1024 if sys.platform == "linux" else 1024 * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    results.put((pulled.companies.rows + pulled.people.rows, peak))
