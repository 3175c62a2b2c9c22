"""The published database, opened to be read."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import duckdb

from outreach_platform.filings.database import open_database
from outreach_platform.foundation.errors import UsageError


@contextmanager
def reading(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the published database read-only.

    Args:
        path: `layout.FilingFolder.published`.

    Raises:
        UsageError: there is none yet, or it lacks tables or columns of ours.
        BusyError: another program has it open for writing.
        OutreachError: it is damaged or no database.
    """
    if not path.is_file():
        raise UsageError(
            f"{path} does not exist: `outreach filings add FOLDER` registers filings, "
            "`outreach filings extract` reads them"
        )
    with closing(open_database(path, read_only=True)) as connection:
        connection.execute("SET enable_progress_bar = false")
        try:
            yield connection
        except (duckdb.CatalogException, duckdb.BinderException) as error:
            reason = str(error).splitlines()[0]
            raise UsageError(
                f"{path} is not the filings database of this version ({reason}): "
                "`outreach filings extract` publishes it anew"
            ) from None
