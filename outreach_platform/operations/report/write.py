"""Builds the page and puts it where people open it."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from outreach_platform.foundation.errors import UsageError
from outreach_platform.foundation.lake import replacing
from outreach_platform.operations.problems import Problem
from outreach_platform.operations.report.page import build_page
from outreach_platform.settings import Settings


def report_path(settings: Settings) -> Path:
    """Where the page stands unless another place is named."""
    return settings.data_dir / "reports" / "report.html"


def check_target(target: Path) -> None:
    """Refuse a place that is no file.

    Raises:
        UsageError: it is a folder, or stands below a file.
    """
    above = next((folder for folder in target.parents if folder.exists()), None)
    if above is not None and not above.is_dir():
        raise UsageError(f"{target} cannot be written: {above} is a file, no folder")
    if target.is_dir():
        raise UsageError(f"{target} is a folder: name a file, for example {target / 'report.html'}")


def write_report(
    settings: Settings,
    problems: Sequence[Problem] | None = None,
    *,
    target: Path | None = None,
    now: datetime | None = None,
) -> Path:
    """Write the page, whole or not at all.

    Args:
        settings: data folder and limits.
        problems: see `build_page`.
        target: another place than `report_path`.
        now: aware; the clock's by default.

    Returns:
        The absolute path.

    Raises:
        UsageError: the target is a folder, or stands below a file.
        OutreachError: the disk is full, or the folder refuses.
    """
    path = (target or report_path(settings)).absolute()
    check_target(path)
    page = build_page(settings, problems, now=now)
    with replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path
