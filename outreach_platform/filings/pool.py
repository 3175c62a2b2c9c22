"""The process pool over filings: memory bounded, a time limit each, and nobody blamed for another.

A filing that crashes its worker, hangs or eats memory is reported as failed with the reason; those
that merely shared a pool with it are tried again. No worker outlives the call or its process.
"""

import logging
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TYPE_CHECKING

from outreach_platform.filings import pool_worker, staging
from outreach_platform.filings.layout import FilingFolder
from outreach_platform.filings.plan import PlannedFiling
from outreach_platform.filings.pool_watch import Watch
from outreach_platform.filings.staging import StagedReport
from outreach_platform.foundation.errors import OutreachError

if TYPE_CHECKING:
    from pebble import ProcessPool

_logger = logging.getLogger(__name__)
EXTRACTOR = "outreach_platform.filings.parsing.extract:extract_filing"
# Parsers leave fragmented memory behind; a new worker costs a second.
_FILINGS_A_WORKER = 50
_POLL_SECONDS = 0.2
# A worker's last answer may still be on its way when the worker is gone.
_GRACE_SECONDS = 3.0
_TRIES = 2
_STARTS = 3
_FROM_OUTSIDE = (-signal.SIGKILL, -signal.SIGTERM)
# How Python ends on an exception outside of a filing: a worker that was killed while it wrote into
# the pipe that all share breaks it for its neighbour.
_BROKEN_PIPE = 1
_Futures = dict["Future[StagedReport]", PlannedFiling]


def extract_all(
    planned: Sequence[PlannedFiling],
    folder: FilingFolder,
    run_id: str,
    *,
    workers: int,
    time_limit: float,
    memory_limit: int,
    on_done: Callable[[StagedReport], None],
    extractor: str = EXTRACTOR,
) -> None:
    """Extract filings in worker processes and stage their rows.

    Args:
        planned: the filings; the largest are begun first, so that no worker is left alone with one
            at the end.
        folder: the wing's paths.
        run_id: names the staging.
        workers: processes.
        time_limit: seconds a filing may take.
        memory_limit: bytes of resident memory a worker may hold.
        on_done: called in this thread with each filing's report, failed ones too, as they end.
        extractor: `module:function` that makes a filing's rows.

    Raises:
        OutreachError: no worker can be started, or the disk refuses.
    """
    extraction = _Extraction(
        folder,
        run_id,
        workers=workers,
        time_limit=time_limit,
        memory_limit=memory_limit,
        on_done=on_done,
        extractor=extractor,
    )
    extraction.run(planned)


class _Extraction:
    """One call of `extract_all`."""

    def __init__(
        self,
        folder: FilingFolder,
        run_id: str,
        *,
        workers: int,
        time_limit: float,
        memory_limit: int,
        on_done: Callable[[StagedReport], None],
        extractor: str,
    ) -> None:
        self._folder = folder
        self._run_id = run_id
        self._workers = workers
        self._time_limit = time_limit
        self._memory_limit = memory_limit
        self._on_done = on_done
        self._extractor = extractor
        self._waiting: deque[PlannedFiling] = deque()
        # Those that were in hand when a pool broke; each has a pool of its own, so that the one to
        # blame is known.
        self._suspects: deque[PlannedFiling] = deque()
        self._tries: dict[str, int] = {}
        # Pools in a row of which no worker began.
        self._unseen = 0

    def run(self, planned: Sequence[PlannedFiling]) -> None:
        self._waiting.extend(sorted(planned, key=lambda one: -(one.meta.size or 0)))
        while self._waiting or self._suspects:
            alone = not self._waiting
            queue = deque([self._suspects.popleft()]) if alone else self._waiting
            workers = 1 if alone else self._workers
            with self._pool(workers) as (pool, watch):
                self._drive(pool, watch, queue, 2 * workers)

    @contextmanager
    def _pool(self, workers: int) -> Iterator[tuple["ProcessPool", Watch]]:
        """A pool and its watch; at the end, however it comes, no worker is left."""
        from pebble import ProcessPool

        # A fork would copy DuckDB's locks, held by threads that the copy does not have.
        context = multiprocessing.get_context("spawn")
        hears, tells = context.Pipe(duplex=False)
        watch = Watch(hears, self._memory_limit)
        pool = ProcessPool(
            max_workers=workers,
            max_tasks=_FILINGS_A_WORKER,
            initializer=pool_worker.start,
            initargs=(os.getpid(), tells, self._memory_limit),
            context=context,
        )
        try:
            yield pool, watch
        finally:
            pool.stop()
            watch.stop()
            pool.join()
            tells.close()
            hears.close()

    def _drive(
        self, pool: "ProcessPool", watch: Watch, queue: deque[PlannedFiling], most: int
    ) -> None:
        """Keep the pool busy until the queue is empty or the pool breaks."""
        running: _Futures = {}
        broken = False
        while (queue and not broken) or running:
            while queue and not broken and len(running) < most:
                one = queue.popleft()
                try:
                    running[self._schedule(pool, one)] = one
                except RuntimeError:  # it broke meanwhile
                    queue.appendleft(one)
                    broken = True
            done, _ = wait(running, timeout=_POLL_SECONDS, return_when=FIRST_COMPLETED)
            for future in done:
                broken |= self._settle(future, running.pop(future), watch)
            for future, one in running.items():
                if watch.gone(one.meta.accession_number) > _GRACE_SECONDS:
                    future.cancel()
        self._unseen = self._unseen + 1 if broken and not watch.seen else 0
        if self._unseen == _STARTS:
            raise OutreachError(
                "no worker process can be started: the system refuses more processes or memory; "
                "run again with --workers 1, or when less is running"
            )

    def _schedule(self, pool: "ProcessPool", one: PlannedFiling) -> "Future[StagedReport]":
        task = pool_worker.Task(self._folder.data_dir, self._run_id, one.meta, self._extractor)
        return pool.schedule(pool_worker.extract, args=(task,), timeout=self._time_limit)

    def _settle(self, future: "Future[StagedReport]", one: PlannedFiling, watch: Watch) -> bool:
        """Report a filing that ended, or put it back; returns whether the pool is broken."""
        from pebble import ProcessExpired

        try:
            report = future.result()
        except pool_worker.ExtractionError as error:
            _logger.info("%s: %s\n%s", one.meta.accession_number, error.reason, error.trace)
            self._fail(one, error.reason)
        except BrokenProcessPool:
            if watch.seen:
                self._suspect(one, "no worker lived to read it")
            else:  # none ever began
                self._waiting.append(one)
            return True
        except CancelledError:
            self._suspect(one, "its worker ended in the middle, without a word")
        except TimeoutError:
            self._fail(one, f"it took more than the {self._time_limit:g} s that a filing may take")
        except ProcessExpired as error:
            self._expired(one, watch.grown(error.pid), error.exitcode)
        else:
            self._on_done(report)
        return False

    def _expired(self, one: PlannedFiling, grown: int | None, code: int) -> None:
        """Report or put back a filing whose worker died on it."""
        if grown is not None:
            held, limit = grown >> 20, self._memory_limit >> 20
            self._fail(one, f"its worker held {held} MB, more than the {limit} MB it may take")
        elif code in _FROM_OUTSIDE:
            self._suspect(one, "its worker was killed from outside, by the system or by hand")
        elif code == _BROKEN_PIPE:
            self._suspect(one, "its worker ended in the middle with exit code 1")
        elif code < 0:
            self._fail(one, f"its worker crashed ({signal.strsignal(-code) or f'signal {-code}'})")
        else:
            self._fail(one, f"its worker ended in the middle with exit code {code}")

    def _suspect(self, one: PlannedFiling, reason: str) -> None:
        """Try a filing again, alone; it may only have been near when another brought harm."""
        accession = one.meta.accession_number
        self._tries[accession] = self._tries.get(accession, 0) + 1
        if self._tries[accession] < _TRIES:
            self._suspects.append(one)
        else:
            self._fail(one, f"{reason}, {_TRIES} times")

    def _fail(self, one: PlannedFiling, reason: str) -> None:
        report = staging.failure(one.meta, reason)
        self._on_done(staging.write_report(self._folder, self._run_id, report))
