"""The process pool: harm done by one filing stays with it, and no worker is left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from outreach_platform.filings import pool, staging
from outreach_platform.filings.layout import FilingFolder
from outreach_platform.filings.model import KINDS, FilingMeta
from outreach_platform.filings.pool import extract_all
from outreach_platform.filings.staging import StagedReport
from outreach_platform.foundation.errors import OutreachError
from outreach_platform_tests.support import filing_rows
from outreach_platform_tests.support.filing_rows import EXTRACTOR, FULL, accession

pytestmark = pytest.mark.slow
_MIB = 1 << 20


@pytest.fixture
def folder(tmp_path: Path) -> FilingFolder:
    return FilingFolder(tmp_path)


def extracted(
    folder: FilingFolder,
    metas: list[FilingMeta],
    *,
    workers: int = 2,
    time_limit: float = 60,
    memory_limit: int = 1 << 30,
    extractor: str = EXTRACTOR,
    on_done: Callable[[StagedReport], object] = lambda _report: None,
) -> dict[int, StagedReport]:
    """Reports by number; each filing is reported once, and what is reported is on disk."""
    reports: list[StagedReport] = []

    def done(report: StagedReport) -> None:
        reports.append(report)
        on_done(report)

    extract_all(
        filing_rows.planned(*metas),
        folder,
        "run",
        workers=workers,
        time_limit=time_limit,
        memory_limit=memory_limit,
        on_done=done,
        extractor=extractor,
    )
    found = {int(report.accession_number[-6:]): report for report in reports}
    assert len(found) == len(reports) == len(metas)
    for report in reports:
        assert staging.read_report(folder, "run", report.accession_number) == report
    return found


def good(folder: FilingFolder, *numbers: int) -> list[FilingMeta]:
    return [filing_rows.add_filing(folder, number, **FULL) for number in numbers]


HARM: dict[str, tuple[dict[str, Any], str]] = {
    "segfault": ({}, "its worker crashed (Segmentation fault)"),
    "exit": ({"code": 3}, "its worker ended in the middle with exit code 3"),
    "system_exit": ({}, "the parser failed with SystemExit at filing_rows.py"),
    "error": ({}, "the parser failed with ValueError at filing_rows.py"),
    "unpicklable": ({}, "the parser failed with UnpicklableError at filing_rows.py"),
    "hang_in_c": ({}, "it took more than the 4 s that a filing may take"),
    "memory": ({"bytes": 900 * _MIB}, "more than the 500 MB it may take"),
    "killed": ({}, "its worker was killed from outside, by the system or by hand, 2 times"),
}


def test_whoever_does_harm_fails_alone(folder: FilingFolder) -> None:
    metas = good(folder, *range(10))
    for number, (harm, (behaviour, _)) in enumerate(HARM.items(), start=100):
        metas.insert(number - 99, filing_rows.add_filing(folder, number, harm=harm, **behaviour))
    reports = extracted(folder, metas, time_limit=4, memory_limit=500 * _MIB)
    for number, (harm, (_, reason)) in enumerate(HARM.items(), start=100):
        error = reports[number].error
        assert error is not None, harm
        assert reason in error
        assert "secret" not in error
        assert reports[number].counts == {}
    for number in range(10):
        assert reports[number].error is None
        assert reports[number].counts == FULL
        assert set(reports[number].sha256) == set(KINDS)


def test_a_worker_that_ends_in_silence_does_not_hold_up_the_run(folder: FilingFolder) -> None:
    """Exit code 0 looks like an end of work to the pool's library."""
    metas = [filing_rows.add_filing(folder, 7, harm="exit", code=0), *good(folder, 1, 2)]
    reports = extracted(folder, metas, time_limit=200)
    assert reports[7].error == "its worker ended in the middle, without a word, 2 times"
    assert reports[1].error is reports[2].error is None


def test_a_filing_whose_worker_was_killed_once_is_tried_again(
    folder: FilingFolder, tmp_path: Path
) -> None:
    mark = str(tmp_path / "mark")
    once = filing_rows.add_filing(folder, 9, harm="killed_once", mark=mark, **FULL)
    reports = extracted(folder, [once, *good(folder, 1, 2, 3)])
    assert {number: report.error for number, report in reports.items()} == dict.fromkeys(
        (1, 2, 3, 9)
    )


def test_bytes_that_changed_or_went_away_are_not_read(folder: FilingFolder) -> None:
    changed, gone = good(folder, 1, 2)
    assert changed.local_path
    assert gone.local_path
    (folder.data_dir / changed.local_path).write_text('{"sections": 9}')
    (folder.data_dir / gone.local_path).unlink()
    reports = extracted(folder, [changed, gone, *good(folder, 3)], workers=1)
    assert "has changed since it was registered: run `outreach filings add`" in (
        reports[1].error or ""
    )
    assert "cannot be read (No such file or directory)" in (reports[2].error or "")
    assert reports[3].error is None


def test_an_extractor_that_is_not_there(folder: FilingFolder) -> None:
    reports = extracted(folder, good(folder, 1), extractor="outreach_platform.nowhere:extract")
    assert "the parser failed with ModuleNotFoundError" in (reports[1].error or "")


def test_workers_are_renewed(folder: FilingFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "_FILINGS_A_WORKER", 2)
    reports = extracted(folder, good(folder, *range(7)), workers=1)
    assert [reports[number].error for number in range(7)] == [None] * 7


def test_an_error_of_the_caller_ends_all_workers(folder: FilingFolder) -> None:
    """Also those that hang in C; and soon, not when their time is over."""
    metas = [filing_rows.add_filing(folder, n, harm="hang_in_c") for n in (10, 11)]
    before = set(psutil.Process().children(recursive=True))

    def fail(report: StagedReport) -> None:
        raise KeyboardInterrupt

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        extracted(folder, [*metas, *good(folder, 1)], workers=3, time_limit=200, on_done=fail)
    assert time.monotonic() - started < 60
    assert _workers(set(psutil.Process().children(recursive=True)) - before) == []


def _workers(processes: set[psutil.Process]) -> list[str]:
    """Command lines of worker processes; multiprocessing's tracker of resources may stay."""
    lines = []
    for process in processes:
        try:
            line = " ".join(process.cmdline())
        except psutil.NoSuchProcess:
            continue
        lines += [line] if "spawn_main" in line else []
    return lines


@pytest.fixture
def run(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process with two workers that hang."""
    behaviour = json.dumps({"harm": "hang_in_c"})
    module = "outreach_platform_tests.support.filing_pool"
    process = subprocess.Popen(
        [sys.executable, "-m", module, str(tmp_path), "2", "4", behaviour],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    yield process
    process.kill()
    process.communicate()


def _when(condition: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_worker_outlives_the_run(
    run: subprocess.Popen[str], tmp_path: Path, sent: signal.Signals
) -> None:
    staged = FilingFolder(tmp_path).staging / "run"
    _when(lambda: staged.is_dir() and len([*staged.iterdir()]) == 2)
    children = psutil.Process(run.pid).children(recursive=True)
    assert len(_workers(set(children))) == 2
    os.kill(run.pid, sent)
    run.wait(30)
    _when(lambda: not any(map(_lives, children)), 10)
    assert not [*staged.rglob("report.json")]


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_workers_killed_by_hand_cost_nothing_but_time(folder: FilingFolder) -> None:
    metas = [filing_rows.add_filing(folder, n, harm="slow", seconds=0.1, **FULL) for n in range(20)]
    killed = []

    def kill_one(report: StagedReport) -> None:
        workers = [child for child in psutil.Process().children() if _workers({child})]
        if len(killed) < 3 and workers:
            workers[0].kill()
            killed.append(report)

    reports = extracted(folder, metas, on_done=kill_one)
    assert len(killed) == 3
    assert [report.error for report in reports.values()] == [None] * 20


def test_a_worker_reads_packed_files(folder: FilingFolder) -> None:
    import gzip
    from dataclasses import replace

    (meta,) = good(folder, 1)
    assert meta.local_path
    raw = (folder.data_dir / meta.local_path).read_bytes()
    packed = folder.raw / f"{accession(1)}.txt.gz"
    packed.write_bytes(gzip.compress(raw))
    name = packed.relative_to(folder.data_dir).as_posix()
    reading = "outreach_platform_tests.support.filing_rows:extract_packed"
    reports = extracted(folder, [replace(meta, local_path=name)], extractor=reading)
    assert reports[1].counts == FULL
    packed.write_bytes(packed.read_bytes()[:-10])
    reports = extracted(folder, [replace(meta, local_path=name)], extractor=reading)
    assert "has changed since it was registered" in (reports[1].error or "")


def test_workers_that_cannot_start(folder: FilingFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's own refusal; so the workers end before they have said a word."""
    monkeypatch.setattr(pool.pool_worker, "start", os._exit)
    with pytest.raises(OutreachError, match="no worker process can be started"):
        extracted(folder, good(folder, 1, 2, 3))
