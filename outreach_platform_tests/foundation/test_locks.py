"""One owner at a time, named; a killed owner gives way."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from outreach_platform.foundation.errors import BusyError
from outreach_platform.foundation.locks import NamedLock, locked

_HOLD = """
import sys
from pathlib import Path
from outreach_platform.foundation.locks import NamedLock
lock = NamedLock(Path(sys.argv[1]), "WV")
lock.acquire("run 42", 0)
print("held", flush=True)
sys.stdin.readline()
lock.release()
"""


@contextmanager
def held_elsewhere(path: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    try:
        yield process
    finally:
        process.kill()
        process.wait(60)
        process.stdin.close()
        process.stdout.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "locks" / "WV.lock"


def test_the_holder_is_named(path: Path) -> None:
    with held_elsewhere(path) as process:
        with pytest.raises(BusyError) as caught, locked(path, "WV", "me", 0):
            pass
        message = str(caught.value)
        assert message.startswith(f"WV is busy: run 42 (process {process.pid}) holds it since 20")
        assert message.endswith("waited 0 s, run again when that has ended")
        assert caught.value.retryable


def test_a_killed_holder_gives_way_at_once(path: Path) -> None:
    with held_elsewhere(path) as process:
        process.kill()
        process.wait(60)
        with locked(path, "WV", "me", 0):
            holder = json.loads(path.with_suffix(".holder.json").read_text())
            assert (holder["owner"], holder["pid"]) == ("me", os.getpid())


@pytest.mark.slow
def test_waiting_helps(path: Path) -> None:
    with held_elsewhere(path) as process:
        assert process.stdin is not None
        timer = threading.Timer(0.5, lambda: (process.stdin.write("\n"), process.stdin.flush()))
        timer.start()
        with locked(path, "WV", "me", 60) as waited:
            assert waited > 0.1
        timer.join()


def test_a_note_of_a_killed_process_is_not_believed(path: Path) -> None:
    """Between taking the lock and writing its name, a holder has another one's note before it."""
    with held_elsewhere(path):
        ended = subprocess.Popen([sys.executable, "-c", ""])
        ended.wait()
        for note in (
            json.dumps({"owner": "ghost", "pid": ended.pid, "since": "yesterday"}),
            json.dumps({"owner": "ghost", "pid": "x", "since": "yesterday"}),
            '{"owner": "gho',
            "[]",
            "",
        ):
            path.with_suffix(".holder.json").write_text(note)
            with (
                pytest.raises(BusyError, match="WV is busy: another process holds it; waited"),
                locked(path, "WV", "me", 0),
            ):
                pass


def test_released_by_any_end(path: Path) -> None:
    for problem in (ValueError, KeyboardInterrupt):
        with pytest.raises(problem), locked(path, "WV", "me", 0):
            raise problem
        assert not path.with_suffix(".holder.json").exists()
    with locked(path, "WV", "me", 0):
        pass


def test_two_owners_of_one_process_exclude_each_other(path: Path) -> None:
    with (
        locked(path, "WV", "first", 0),
        pytest.raises(BusyError, match=rf"first \(process {os.getpid()}\)"),
        locked(path, "WV", "second", 0),
    ):
        pass


def test_taking_it_again_does_nothing_and_one_release_is_enough(path: Path) -> None:
    lock = NamedLock(path, "WV")
    lock.acquire("me", 0)
    lock.acquire("me again", 0)
    assert json.loads(path.with_suffix(".holder.json").read_text())["owner"] == "me"
    lock.release()
    with locked(path, "WV", "other", 0):
        lock.release()
        with pytest.raises(BusyError, match="other"), locked(path, "WV", "third", 0):
            pass


def test_another_thread_may_release_it(path: Path) -> None:
    """Dagster tears its resources down in a thread of its choice."""
    lock = NamedLock(path, "WV")
    lock.acquire("me", 0)
    thread = threading.Thread(target=lock.release)
    thread.start()
    thread.join()
    with locked(path, "WV", "other", 0):
        pass


_COUNT = """
import sys, time
from pathlib import Path
from outreach_platform.foundation.locks import locked
counter = Path(sys.argv[2])
for _ in range(20):
    with locked(Path(sys.argv[1]), "WV", "counting", 120):
        value = int(counter.read_text())
        time.sleep(0.002)
        counter.write_text(str(value + 1))
"""


@pytest.mark.slow
def test_nothing_is_lost_between_processes(path: Path, tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")
    command = [sys.executable, "-c", _COUNT, str(path), str(counter)]
    started = [subprocess.Popen(command) for _ in range(4)]
    assert [process.wait(240) for process in started] == [0, 0, 0, 0]
    assert counter.read_text() == "80"


@pytest.mark.slow
def test_waiting_can_be_interrupted(path: Path) -> None:
    """Ctrl-C while waiting: nothing is held afterwards, by nobody."""
    import _thread

    with held_elsewhere(path):
        timer = threading.Timer(0.5, _thread.interrupt_main)
        timer.start()
        lock = NamedLock(path, "WV")
        started = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            lock.acquire("me", 60)
        assert time.monotonic() - started < 50
        lock.release()
    with locked(path, "WV", "other", 10):
        pass
