"""Ctrl-C that is noticed, and obeyed, whatever the main thread is doing.

Dagster turns an interrupt into a failed step and forgets it, so that a loop over states would go on
with the next one; and no Python handler runs at all while the main thread waits inside a database
driver, for example for a locked table. A thread that the C level of Python's signal handling wakes
sees both.
"""

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from outreach_platform.foundation.errors import EXIT_INTERRUPTED

# For an orderly end. What is abandoned after that, the next run finishes or removes.
GRACE_SECONDS = 5.0
_LAST_WORDS_SECONDS = 3.0
_SIGNALS = frozenset({signal.SIGINT, signal.SIGTERM})


@contextmanager
def obeying_interrupts(last_words: Callable[[], None]) -> Iterator[threading.Event]:
    """Watch for SIGINT and SIGTERM during a block.

    Where the block has not ended some seconds after the first one, or at the second one, the
    process ends with 130. Outside the main thread nothing is watched.

    Args:
        last_words: called from another thread before the process is ended that way.

    Yields:
        An event that is set once an interrupt came.
    """
    came = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield came
        return
    ours, woken = socket.socketpair()
    woken.setblocking(False)
    before = signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
    watcher = threading.Thread(
        target=_watch, args=(ours, came, last_words), name="interrupts", daemon=True
    )
    watcher.start()
    try:
        yield came
    finally:
        signal.set_wakeup_fd(before)
        woken.close()
        watcher.join()
        ours.close()


def _watch(ours: socket.socket, came: threading.Event, last_words: Callable[[], None]) -> None:
    while received := ours.recv(64):
        if _SIGNALS & set(received):
            break
    else:
        return
    came.set()
    if len(received) == 1 and _ends_in_time(ours):
        return
    hurry = threading.Timer(_LAST_WORDS_SECONDS, os._exit, (EXIT_INTERRUPTED,))
    hurry.daemon = True
    hurry.start()
    try:
        last_words()
    finally:
        os._exit(EXIT_INTERRUPTED)


def _ends_in_time(ours: socket.socket) -> bool:
    """Whether the block ends before the time is up and before another signal comes."""
    ours.settimeout(GRACE_SECONDS)
    with suppress(TimeoutError):
        return not ours.recv(64)
    return False
