"""Ends what `up` started when `up` itself was killed.

`python -m outreach_platform.operations.watchdog MARK FOLDER` runs in a session of its own and reads
from a pipe that only `up` can write to. The kernel closes the pipe however `up` ends; then all
processes that carry the mark are ended and the folder with their socket is removed. Should somebody
kill the watchdog, `up` starts another one.
"""

import shutil
import signal
import sys

from outreach_platform.operations.processes import MARK, end_marked


def main() -> None:
    """Wait for the end of standard input, then clear away."""
    mark, folder = sys.argv[1:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.stdin.buffer.read()
    end_marked(MARK, mark)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
