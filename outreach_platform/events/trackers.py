"""What the trackers share: which are installed, and how they fail.

A tracker is an extra. Where it is missing nothing happens unless it was asked for, and what goes
wrong in it never harms an export: callers turn `TrackingError` into a warning.
"""

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Literal

from outreach_platform.foundation.errors import OutreachError, UsageError
from outreach_platform.foundation.redaction import redact

Tracker = Literal["dvc", "mlflow"]

_PACKAGES: dict[Tracker, tuple[str, ...]] = {
    "dvc": ("dvc",),
    "mlflow": ("mlflow", "sqlalchemy", "alembic"),
}
_NAMES: dict[Tracker, str] = {"dvc": "DVC", "mlflow": "MLflow"}
_LONGEST_REASON = 300


class TrackingError(OutreachError):
    """An export stands, but could not be tracked."""


def available_trackers() -> tuple[Tracker, ...]:
    """The trackers whose packages are installed; imports none of them."""
    return tuple(
        tracker for tracker, packages in _PACKAGES.items() if all(map(_installed, packages))
    )


def require_tracker(tracker: Tracker) -> None:
    """Make sure that a tracker that was asked for is there.

    Raises:
        UsageError: its packages are not installed.
    """
    if tracker not in available_trackers():
        raise UsageError(
            f"{_NAMES[tracker]} is not installed: run `pip install outreach-platform[{tracker}]`, "
            "or leave this tracker out"
        )


def load(module: str) -> ModuleType:
    """Import a module of an extra; by name, because type checks have to pass without it."""
    return importlib.import_module(module)


@contextmanager
def one_sentence(tracker: Tracker) -> Iterator[None]:
    """Turn whatever a tracker raises into one sentence without secrets.

    Raises:
        TrackingError: the block raised anything; its cause goes to the log.
    """
    try:
        yield
    except TrackingError:
        raise
    except Exception as error:
        raise TrackingError(
            f"{_NAMES[tracker]} could not track the export, which stands all the same: "
            f"{_reason(error)}; put that right and run the export again"
        ) from error


def _installed(package: str) -> bool:
    """Whether a package is there: a bare folder of that name, such as data/mlflow, is none."""
    spec = importlib.util.find_spec(package)
    return spec is not None and spec.origin is not None


def _reason(error: Exception) -> str:
    """The first line of what an error says: the rest is statements, parameters and hints."""
    lines = redact(str(error)).strip().splitlines()
    said = lines[0].strip().rstrip(".;") if lines else ""
    return f"{type(error).__name__}: {said[:_LONGEST_REASON]}" if said else type(error).__name__
