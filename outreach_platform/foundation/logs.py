"""Logging: messages to the terminal, everything with tracebacks to rotated files under `logs/`."""

import logging
import logging.handlers
from contextlib import suppress
from pathlib import Path

from outreach_platform.foundation.redaction import RedactingFilter

LOGGER = "outreach_platform"
_BYTES = 5_000_000
_KEPT = 5
_FORMAT = "%(asctime)s %(levelname)s %(process)d %(name)s: %(message)s"


class _RotatedAtStart(logging.handlers.WatchedFileHandler):
    """Appends line by line, as several processes may share the file; rotates only when opened."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        _rotate(path)
        super().__init__(path, encoding="utf-8", delay=True)


def _rotate(path: Path) -> None:
    # Another process may rotate at the same moment and be faster with any of the files.
    with suppress(FileNotFoundError):
        if path.stat().st_size < _BYTES:
            return
        for number in range(_KEPT - 1, 0, -1):
            with suppress(FileNotFoundError):
                path.with_name(f"{path.name}.{number}").replace(
                    path.with_name(f"{path.name}.{number + 1}")
                )
        path.replace(path.with_name(f"{path.name}.1"))


def log_to_file(folder: Path, level: str = "INFO", name: str = "outreach") -> Path:
    """Send the package's log to `folder/name.log`; returns that path. Twice is once.

    Args:
        folder: usually `logs/` of the data folder; made if missing.
        level: of the package's logger, for example `INFO`.
        name: file name without ending.
    """
    path = folder / f"{name}.log"
    logger = logging.getLogger(LOGGER)
    logger.setLevel(level.upper())
    for handler in logger.handlers:
        if isinstance(handler, _RotatedAtStart):
            if Path(handler.baseFilename) == path:
                return path
            logger.removeHandler(handler)
            handler.close()
    handler = _RotatedAtStart(path)
    handler.setFormatter(logging.Formatter(_FORMAT))
    handler.addFilter(RedactingFilter())
    logger.addHandler(handler)
    return path
