"""Merges in processes that kill themselves at a chosen call.

`python -m outreach_platform_tests.support.kill_filings` serves commands as `kill_at` does; its
children merge what is staged and publish. Counted are calls that change files, and what comes
before and after each statement of the writer's database.
"""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NoReturn

from outreach_platform_tests.support.kill_at import Counter, Killer, killer, run_counted, serve


def filings_killer() -> AbstractContextManager[Killer]:
    """The forking process, for the time of a block."""
    return killer("kill_filings")


class _Counted:
    """A connection whose statements are counted."""

    def __init__(self, connection: Any, counter: Counter) -> None:
        self._connection = connection
        self._counter = counter

    def execute(self, statement: str, *arguments: Any) -> Any:
        name = " ".join(statement.split()[:3])
        self._counter.count(f"before {name}")
        result = self._connection.execute(statement, *arguments)
        self._counter.count(f"after {name}")
        return result

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


class MergeCounter(Counter):
    """Counts files and statements."""

    def install(self) -> None:
        """Watch this process from now on."""
        self.watch_files()


def _steps(command: dict[str, Any], counter: Counter) -> None:
    from outreach_platform.filings.database import writer
    from outreach_platform.filings.layout import FilingFolder
    from outreach_platform.filings.merge import merge_filing
    from outreach_platform.filings.plan import plan
    from outreach_platform.filings.publish import publish

    folder = FilingFolder(Path(command["data_dir"]))
    with writer(folder) as connection:
        counted: Any = _Counted(connection, counter)
        for planned in plan(connection, mode="all"):
            merge_filing(counted, folder, command["run_id"], planned)
        publish(folder, counted)


def _child(command: dict[str, Any], report: Path) -> NoReturn:
    counter = MergeCounter(command["kill"], report)
    run_counted(counter, lambda: _steps(command, counter))


def main() -> None:
    """Serve commands until the input ends."""
    import pyarrow.parquet  # noqa: F401

    from outreach_platform.filings import merge, publish, registry, search  # noqa: F401

    serve(_child)


if __name__ == "__main__":
    main()
