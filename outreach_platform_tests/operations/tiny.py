"""A code location with one asset that takes its time, and a program that serves it.

`python -m outreach_platform_tests.operations.tiny DATA_DIR PORT MODULE` prints `READY URL` when the
UI is up, or the error's class and sentence, and ends with the exit code of either.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg

from outreach_platform.foundation.errors import OutreachError

MODULE = "outreach_platform_tests.operations.tiny"
LOCATION = "outreach_platform_tests"
PARTITIONS = dg.MultiPartitionsDefinition(
    {
        "date": dg.DailyPartitionsDefinition("2026-01-01"),
        "state": dg.StaticPartitionsDefinition(["OH", "WV"]),
    }
)

# Stands for the supervisor of the embedded PostgreSQL, recognised by its module's name, and its
# server: they get no signal, whoever started them.
SUPERVISOR = (
    "import subprocess, sys, time, os\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(120)'])\n"
    "open(sys.argv[2], 'w').write(f'{os.getpid()} {child.pid}')\n"
    "time.sleep(120)\n"
)


@dg.asset
def sleeper() -> None:
    """Sleeps with a child process of its own, whose session is not that of the run."""
    pids = os.environ.get("TINY_SUPERVISOR_PIDS")
    if pids and not Path(pids).exists():
        module = "outreach_platform.embedded.supervisor"
        subprocess.Popen([sys.executable, "-c", SUPERVISOR, module, pids], start_new_session=True)
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"], start_new_session=True)
    time.sleep(120)


@dg.asset(partitions_def=PARTITIONS)
def by_state() -> None:
    """Does nothing, for one date and state."""


@dg.asset
def marker() -> None:
    """Does nothing."""


sleeping = dg.define_asset_job("sleeping", [sleeper], executor_def=dg.in_process_executor)
quick = dg.define_asset_job("quick", [marker], executor_def=dg.in_process_executor)
defs = dg.Definitions(assets=[sleeper, by_state, marker], jobs=[sleeping, quick])


def main() -> None:
    """Serve until a signal comes."""
    from outreach_platform.operations.serving import serve

    data_dir, port, module = sys.argv[1:]

    def ready(url: str) -> None:
        print("READY", url, flush=True)

    try:
        code = serve(
            Path(data_dir), port=int(port) if port else None, module=module, on_ready=ready
        )
    except OutreachError as error:
        print(type(error).__name__, error, flush=True)
        code = error.exit_code
    sys.exit(code)


if __name__ == "__main__":
    main()
