"""What all commands of `outreach` share."""

import logging
from pathlib import Path
from typing import Any

import click

from outreach_platform import __version__
from outreach_platform.foundation.errors import UsageError

JSON = click.option("--json", "as_json", is_flag=True, help='Print {"results": [...]} instead.')
PORT = click.option(
    "--port", type=click.IntRange(1, 65535), help="Port of the UI [default: 3000, or a free one]."
)
HOST = click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address that the UI listens on; it asks nobody for a password.",
)


def _unwrapped(settings: dict[str, Any]) -> dict[str, Any]:
    r"""The settings of a command, its help with the control character that `\b` stands for.

    Click leaves the lines of a paragraph under it as they are; a raw docstring cannot hold it.
    """
    if settings.get("help"):
        settings["help"] = settings["help"].replace(r"\b", "\b")
    return settings


class Command(click.Command):
    """A command that keeps a log, once its arguments are read: `--help` leaves nothing behind."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **_unwrapped(settings))

    def invoke(self, ctx: click.Context) -> object:
        """Run it."""
        _log_to_data_folder()
        return super().invoke(ctx)


class Group(click.Group):
    """A group of such commands."""

    command_class = Command

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **_unwrapped(settings))


def _log_to_data_folder() -> None:
    """Keep tracebacks from the first moment; a folder that refuses is reported by the command.

    Raises:
        UsageError: the folder is of a newer release, or says nothing legible of itself.
    """
    from outreach_platform.foundation.data_layout import require_layout
    from outreach_platform.foundation.logs import log_to_file
    from outreach_platform.settings import load_settings

    try:
        settings = load_settings()
    except (UsageError, OSError, ValueError):
        logging.getLogger("outreach_platform").addHandler(logging.NullHandler())
        return
    require_layout(settings.data_dir, __version__)
    try:
        log_to_file(Path(settings.data_dir) / "logs", settings.log_level)
    except (OSError, ValueError):
        logging.getLogger("outreach_platform").addHandler(logging.NullHandler())
