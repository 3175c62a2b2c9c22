"""An action in a forked child that is killed just before one of its calls that change files."""

import itertools
import os
import signal
import sys
from collections.abc import Callable

_CHANGES = {"os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir"}


def killed_at(number: int, action: Callable[[], object]) -> bool:
    """Run an action in a child, which SIGKILL ends before its call `number` that changes files.

    Returns:
        Whether it was killed; False where the action has fewer calls.
    """
    child = os.fork()
    if child == 0:
        calls = itertools.count(1)

        def hook(event: str, args: tuple) -> None:
            written = (
                event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR)
            )
            if (event in _CHANGES or written) and next(calls) == number:
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            sys.addaudithook(hook)
            action()
        except BaseException:  # noqa: BLE001
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or status == 0
    return os.WIFSIGNALED(status)
