"""The Dagster instance: where it lives, and its dagster.yaml.

Two dagster.yaml files come from one template beside this module. The one at the root of the
checkout has paths relative to it, for a plain `dagster dev` there without DAGSTER_HOME; the one
that `prepare_home` writes has absolute paths. With the default data folder both mean the same runs.

Runs, events, schedules and sensors are kept in SQLite files of that folder, or in PostgreSQL where
DAGSTER_PG_URL is set. What runs printed and `up` keep stays in the folder either way.
"""

import json
import logging
import os
import tempfile
from pathlib import Path
from string import Template

import dagster as dg

from outreach_platform.foundation.errors import UsageError
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.operations.instance_postgres import (
    ENVIRONMENT_NAME,
    open_on,
    sqlalchemy_url,
)
from outreach_platform.settings import load_settings

CONFIG_NAME = "dagster.yaml"
_TEMPLATE = Path(__file__).with_name("dagster.yaml.template")
# Names the home that a process of ours chose, so that a DAGSTER_HOME which we put into the
# environment ourselves is not mistaken for the user's, here and in child processes.
_OUR_HOME = "OUTREACH_CHOSEN_DAGSTER_HOME"

logger = logging.getLogger(__name__)


def dagster_home(data_dir: Path) -> Path:
    """The absolute folder of the instance: the user's $DAGSTER_HOME, else `dagster` in the data."""
    chosen = os.environ.get("DAGSTER_HOME")
    if chosen and chosen != os.environ.get(_OUR_HOME):
        return Path(chosen).expanduser().absolute()
    return (data_dir / "dagster").absolute()


def render_config(base_dir: Path, *, postgres: bool = False) -> str:
    """The text of a dagster.yaml whose storage stands in `base_dir`.

    Args:
        base_dir: the folder.
        postgres: whether runs are kept in the database that DAGSTER_PG_URL names instead.
    """
    # A JSON string is a YAML string, whatever characters a path holds.
    base = json.dumps(str(base_dir), ensure_ascii=False)
    sqlite = f"sqlite:\n    base_dir: {base}"
    database = f"postgres:\n    postgres_url:\n      env: {ENVIRONMENT_NAME}"
    return Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(
        storage=database if postgres else sqlite,
        base_dir=base,
        compute_logs_dir=json.dumps(str(base_dir / "storage"), ensure_ascii=False),
    )


def prepare_home(data_dir: Path) -> Path:
    """Make the instance's folder, put our dagster.yaml there, and set DAGSTER_HOME to it.

    A dagster.yaml without our first line belongs to the user and stays as it is.

    Returns:
        The absolute folder.

    Raises:
        UsageError: the folder or the file cannot be written, or DAGSTER_PG_URL is no address.
    """
    database = load_settings().instance
    home = dagster_home(data_dir)
    config = home / CONFIG_NAME
    try:
        home.mkdir(parents=True, exist_ok=True)
        text = render_config(home, postgres=database is not None)
        existing = config.read_text(encoding="utf-8") if config.exists() else None
        if existing is None or (existing != text and is_ours(existing)):
            _write_atomically(config, text)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text file"
        raise UsageError(
            f"the Dagster instance in {home} cannot be prepared ({reason}): make the folder "
            "writable, or name another one in OUTREACH_DATA_DIR or DAGSTER_HOME"
        ) from None
    if os.environ.get("DAGSTER_HOME") in (None, "", os.environ.get(_OUR_HOME)):
        os.environ[_OUR_HOME] = str(home)
    os.environ["DAGSTER_HOME"] = str(home)
    if database is not None:
        # It may stand in .env, or be written as only Prisma or libpq take it.
        os.environ[ENVIRONMENT_NAME] = sqlalchemy_url(database)
    return home


def open_instance(data_dir: Path) -> dg.DagsterInstance:
    """Open the instance that UI, daemon and terminal share; use it in a `with`.

    Raises:
        UsageError: the folder cannot be written, a dagster.yaml of the user's is not valid, or
            DAGSTER_PG_URL is no address.
        OutreachError: the database of DAGSTER_PG_URL cannot be reached, or refuses.
    """
    home = prepare_home(data_dir)
    database = _database_of(home)
    try:
        return open_on(database) if database else dg.DagsterInstance.get()
    except dg.DagsterInvalidConfigError:
        # Dagster's own message quotes the file, where a password may stand.
        raise UsageError(
            f"{home / CONFIG_NAME} is not valid: `DAGSTER_HOME={home} dagster instance info` says "
            "what Dagster objects to"
        ) from None


def _database_of(home: Path) -> DatabaseUrl | None:
    """The configured database, None where the dagster.yaml does not use it."""
    text = (home / CONFIG_NAME).read_text(encoding="utf-8")
    return load_settings().instance if ENVIRONMENT_NAME in text else None


def is_ours(text: str) -> bool:
    """Whether the text of a dagster.yaml is written by us, and not the user's own."""
    return text.partition("\n")[0] == _TEMPLATE.read_text(encoding="utf-8").partition("\n")[0]


def _write_atomically(path: Path, text: str) -> None:
    # Another command may read the file at this moment, and must see the old or the new one.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    logger.debug("wrote %s", path)
