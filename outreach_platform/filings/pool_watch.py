"""A watch over a pool's workers: who they are, what each has in hand, how much memory it holds."""

import threading
import time
from multiprocessing.connection import Connection

import psutil

_SECONDS = 0.05


class Watch:
    """Kills a worker that holds too much memory, and knows which filing it had in hand.

    Args:
        channel: where workers announce themselves and their filings, see `pool_worker.start`.
        memory_limit: bytes of resident memory.
    """

    def __init__(self, channel: Connection, memory_limit: int) -> None:
        self._channel = channel
        self._limit = memory_limit
        self._workers: dict[int, psutil.Process] = {}
        self._in_hand: dict[int, str] = {}
        self._grown: dict[int, int] = {}
        self._gone: dict[str, float] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="filings-watch", daemon=True)
        self._thread.start()
        self.seen = False

    def grown(self, pid: int | None) -> int | None:
        """The bytes a worker held when it was killed for them; None for any other end."""
        return self._grown.get(pid) if pid is not None else None

    def gone(self, accession: str) -> float:
        """Since how many seconds the worker that had a filing in hand is gone; 0 while it lives."""
        since = self._gone.get(accession)
        return time.monotonic() - since if since is not None else 0.0

    def stop(self) -> None:
        """End the watch, and all workers at once."""
        self._ended.set()
        self._thread.join()
        for worker in self._workers.values():
            _kill(worker)

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                while self._channel.poll(_SECONDS):
                    self._hear(*self._channel.recv())
            except (EOFError, OSError):
                self._ended.wait(_SECONDS)
            self._look()

    def _hear(self, pid: int, accession: str | None) -> None:
        self.seen = True
        if accession is not None:
            self._in_hand[pid] = accession
            self._gone.pop(accession, None)
            return
        try:
            self._workers[pid] = psutil.Process(pid)
        except psutil.NoSuchProcess:
            return

    def _look(self) -> None:
        for pid, worker in list(self._workers.items()):
            try:
                held = worker.memory_info().rss
                alive = worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE
            except psutil.NoSuchProcess:
                held, alive = 0, False
            if not alive:
                self._forget(pid)
            elif held > self._limit:
                self._grown[pid] = held
                _kill(worker)

    def _forget(self, pid: int) -> None:
        del self._workers[pid]
        accession = self._in_hand.pop(pid, None)
        if accession is not None:
            self._gone[accession] = time.monotonic()


def _kill(worker: psutil.Process) -> None:
    try:
        worker.kill()
    except psutil.NoSuchProcess:
        return
