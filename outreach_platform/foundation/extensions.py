"""DuckDB's extensions, loaded from the wheels they come in: nothing is fetched at run time."""

import importlib.util
from pathlib import Path

import duckdb

from outreach_platform.foundation.errors import OutreachError
from outreach_platform.foundation.warehouse import quote_text


def load_extension(
    connection: duckdb.DuckDBPyConnection,
    wheel: str,
    name: str,
    error: type[OutreachError] = OutreachError,
) -> None:
    """Load an extension into the database of a connection.

    Args:
        connection: a connection to it.
        wheel: the package that holds the extension, as it is imported.
        name: what to call it in an error, for example `DuckDB's PostgreSQL scanner`.
        error: what to raise.

    Raises:
        OutreachError: the wheel is not installed.
    """
    spec = importlib.util.find_spec(wheel)
    folder = Path(spec.origin).parent if spec and spec.origin else None
    extension = next(folder.rglob("*.duckdb_extension"), None) if folder else None
    if extension is None:
        raise error(
            f"{name} is not installed: install the package {wheel} in version {duckdb.__version__}"
        )
    connection.execute(f"LOAD {quote_text(str(extension))}")
