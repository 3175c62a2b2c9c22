"""Runs of one state in processes that kill themselves at a chosen call.

`python -m outreach_platform_tests.support.kill_at` imports everything once, then reads one JSON
object a line and forks a child for each: the child runs the steps and sends itself SIGKILL just
before its call number `kill`. Counted are calls that change files (open for writing, rename, link,
unlink, mkdir, rmdir, fsync), puts into the store, and what comes before and after an audit row.
"""

import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

_COUNTED = {"os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir", "os.symlink"}


class Killer:
    """Sends commands to the process that forks."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, **command: Any) -> dict[str, Any]:
        """Run all steps in a child.

        Args:
            command: conninfo, data_dir, run_id, at (ISO), kill (0 for never).

        Returns:
            `signal` (0 when it ended by itself), `calls` that were counted, `error` text or None,
            and `last`, the name of the call it was killed at.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, f"the forking process ended: {self._process.poll()}"
        return json.loads(answer)


@contextmanager
def killer(module: str = "kill_at") -> Iterator[Killer]:
    """The forking process, for the time of a block; `module` of this folder says what it runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"outreach_platform_tests.support.{module}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Killer(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(60)


class Counter:
    """Counts calls and ends the process at one of them."""

    def __init__(self, kill: int, report: Path) -> None:
        self.calls = 0
        self._kill = kill
        self._report = os.open(report, os.O_WRONLY | os.O_CREAT)

    def count(self, name: str) -> None:
        """One more call."""
        self.calls += 1
        if self.calls == self._kill:
            os.write(self._report, json.dumps({"calls": self.calls, "last": name}).encode())
            os.kill(os.getpid(), signal.SIGKILL)

    def finish(self, error: str | None) -> None:
        """Report an end that is no kill."""
        answer = {"calls": self.calls, "last": None, "error": error}
        os.write(self._report, json.dumps(answer).encode())

    def watch_files(self) -> None:
        """Count the calls that change files."""

        def hook(event: str, args: tuple[Any, ...]) -> None:
            if event in _COUNTED:
                self.count(f"{event} {args[0]}")
            elif event == "open" and isinstance(args[2], int) and args[2] & _WRITING:
                self.count(f"open {args[0]}")

        sys.addaudithook(hook)
        os.fsync = lambda handle: self.count("fsync")

    def install(self) -> None:
        """Watch this process from now on."""
        from outreach_platform.foundation import audit
        from outreach_platform.foundation.objects.local import LocalStore

        self.watch_files()
        LocalStore.put = self._around(LocalStore.put, "put")
        audit.insert_event = self._around(audit.insert_event, "insert")
        audit.connect = self._around_connect(audit.connect)

    def _around(self, function: Callable, name: str) -> Callable:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self.count(f"before {name}")
            result = function(*args, **kwargs)
            self.count(f"after {name}")
            return result

        return wrapped

    def _around_connect(self, connect: Callable) -> Callable:
        @contextmanager
        def wrapped(*args: Any, **kwargs: Any) -> Iterator[Any]:
            with connect(*args, **kwargs) as connection:
                yield connection
            self.count("after commit")

        return wrapped


_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def _steps(command: dict[str, Any]) -> None:
    from outreach_platform.foundation.postgres.url import DatabaseUrl
    from outreach_platform_tests.support.snapshot_runs import new_run, pull_to_judge

    run = new_run(
        DatabaseUrl.parse(command["conninfo"]),
        Path(command["data_dir"]),
        run_id=command["run_id"],
        at=datetime.fromisoformat(command["at"]),
    )
    lock = run.lock()
    lock.acquire(run.run_id, 10)
    try:
        pulled, _, gates = pull_to_judge(run)
        if gates.passed:
            run.export(pulled.version)
            run.upload(pulled.version)
            run.record(pulled.version)
    finally:
        lock.release()


def run_counted(counter: Counter, steps: Callable[[], None]) -> NoReturn:
    """Run the steps in this process, a child, under a counter; the process ends here."""
    error = None
    try:
        counter.install()
        steps()
    except BaseException as failure:  # noqa: BLE001
        error = repr(failure)
    counter.finish(error)
    os._exit(0)


def serve(child: Callable[[dict[str, Any], Path], NoReturn]) -> None:
    """Fork a child for each command until the input ends, and answer how it ended."""
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report"
        for line in sys.stdin:
            report.unlink(missing_ok=True)
            pid = os.fork()
            if pid == 0:
                child(json.loads(line), report)
            _, status = os.waitpid(pid, 0)
            answer = {"error": None, **json.loads(report.read_text())}
            answer["signal"] = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
            print(json.dumps(answer), flush=True)


def _child(command: dict[str, Any], report: Path) -> NoReturn:
    run_counted(Counter(command["kill"], report), lambda: _steps(command))


def main() -> None:
    """Serve commands until the input ends."""
    import ibis.backends.duckdb  # noqa: F401
    import pandas  # noqa: F401
    import pyarrow.dataset  # noqa: F401

    from outreach_platform.records.rules import current_rules_version
    from outreach_platform_tests.support import snapshot_runs  # noqa: F401

    current_rules_version()
    serve(_child)


if __name__ == "__main__":
    main()
