"""What runs inside a worker process: one filing at a time, from its file to staged rows.

Importing this module costs little, because every worker does it first.
"""

import ctypes
import gzip
import hashlib
import importlib
import os
import signal
import sys
import threading
import time
import traceback
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from outreach_platform.filings import staging
from outreach_platform.filings.layout import FilingFolder
from outreach_platform.filings.model import Extract, FilingMeta
from outreach_platform.foundation.errors import IntegrityError, OutreachError

_PR_SET_PDEATHSIG = 1
_CHECK_SECONDS = 1.0
_GZIP = b"\x1f\x8b"
# What allocators reserve and never touch counts too: Arrow's alone takes a gigabyte.
_RESERVED = 3 << 30
_channel: Connection | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """One filing for a worker.

    Attributes:
        data_dir: the data folder.
        run_id: names the staging.
        meta: the register entry.
        extractor: `module:function` that makes rows of bytes and register entry.
    """

    data_dir: Path
    run_id: str
    meta: FilingMeta
    extractor: str


class ExtractionError(Exception):
    """Why a filing could not be extracted; two texts, so that it passes between processes.

    Attributes:
        reason: a sentence without any of the filing's contents.
        trace: the calls that led there, for the log; without the error's own words.
    """

    def __init__(self, reason: str, trace: str) -> None:
        super().__init__(reason, trace)
        self.reason = reason
        self.trace = trace


def start(parent: int, channel: Connection, memory_limit: int) -> None:
    """Begin a worker's life: it ends with its parent, and never grows without bound.

    Args:
        parent: the process that owns the pool.
        channel: where the worker says which filing it has in hand.
        memory_limit: bytes.
    """
    global _channel
    _channel = channel
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # A parser that hangs in C never returns to a handler of Python's.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    _limit_memory(2 * memory_limit + _RESERVED)
    channel.send((os.getpid(), None))


def extract(task: Task) -> staging.StagedReport:
    """Extract one filing and stage its rows.

    Raises:
        ExtractionError: it failed.
    """
    began = time.monotonic()
    accession = task.meta.accession_number
    if _channel is not None:
        _channel.send((os.getpid(), accession))
    _forget_peak()
    folder = FilingFolder(task.data_dir)
    try:
        staging.begin(folder, task.run_id, accession)
        rows = _extractor(task.extractor)(_read(task), task.meta)
        if rows.accession_number != accession:
            raise IntegrityError(f"the parser answered with rows of {rows.accession_number}")
        report = staging.write_rows(folder, task.run_id, task.meta, rows)
        measured = {"seconds": time.monotonic() - began, "peak_memory": peak_memory()}
        return staging.write_report(folder, task.run_id, report.model_copy(update=measured))
    except BaseException as error:
        # Also a parser's sys.exit, which would end the pool's owner; and not every error can pass
        # between processes.
        raise ExtractionError(_reason(error), _trace(error)) from error


def _read(task: Task) -> bytes:
    """The filing's bytes as they are stored.

    Raises:
        OutreachError: they are gone, or others than were registered.
    """
    path = task.data_dir / (task.meta.local_path or "")
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise OutreachError(
            f"{path} cannot be read ({error.strerror}): restore it, or run `outreach filings add` "
            "with the file again"
        ) from None
    if task.meta.content_hash not in (None, _hash_unpacked(raw)):
        raise OutreachError(
            f"{path} has changed since it was registered: run `outreach filings add` with it again"
        )
    return raw


def _hash_unpacked(raw: bytes) -> str | None:
    """What `FilingMeta.content_hash` is; None of a packed file that is damaged."""
    if raw[:2] == _GZIP:
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError, zlib.error):
            return None
    return hashlib.sha256(raw).hexdigest()


def _extractor(name: str) -> Callable[[bytes, FilingMeta], Extract]:
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)


def _reason(error: BaseException) -> str:
    """Why it failed, in a sentence without the filing's words, which other errors may quote."""
    if isinstance(error, OutreachError):
        return str(error)
    if isinstance(error, MemoryError):
        return "the parser needs more memory than a worker may take (memory_limit_mb)"
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "outreach_platform" in frame.filename] or list(frames)
    place = f"{Path(ours[-1].filename).name}, line {ours[-1].lineno}" if ours else "the parser"
    return f"the parser failed with {type(error).__name__} at {place}"


def _trace(error: BaseException) -> str:
    return "".join(traceback.format_tb(error.__traceback__))


def _end_with(parent: int) -> None:
    """End this process once its parent is gone; where the kernel does it, this never acts."""
    while os.getppid() == parent:
        time.sleep(_CHECK_SECONDS)
    os._exit(1)


def _limit_memory(most: int) -> None:
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard == resource.RLIM_INFINITY or hard > most:
        resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def _forget_peak() -> None:
    """Begin to measure the peak anew, where the kernel can."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return


def peak_memory() -> int:
    """The most memory this process has held since `_forget_peak`, in bytes."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return int(status.partition("VmHWM:")[2].split()[0]) << 10
    except (OSError, IndexError, ValueError):
        import resource

        unit = 1 if sys.platform == "darwin" else 1 << 10
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
