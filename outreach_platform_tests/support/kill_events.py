"""Runs of the events wing in processes that kill themselves at a chosen call.

`python -m outreach_platform_tests.support.kill_events` serves commands as `kill_at` does; its
children extract, take the siblings, export and sync. Counted are calls that change files, and what
comes before and after each COPY and each statement that builds the research database.
"""

from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

from outreach_platform_tests.support.kill_at import Counter, Killer, killer, run_counted, serve

DAYS = 4


def events_killer() -> AbstractContextManager[Killer]:
    """The forking process, for the time of a block."""
    return killer("kill_events")


class EventsCounter(Counter):
    """Counts what this wing does, in all of its steps; ends the process by number or by name."""

    def __init__(self, kill: int, at: str | None, report: Path) -> None:
        super().__init__(kill, report)
        self._at = at

    def count(self, name: str) -> None:
        """One more call."""
        if name == self._at:
            self._kill = self.calls + 1
        super().count(name)

    def install(self) -> None:
        """Watch this process from now on."""
        from outreach_platform.events import days, experiments, export, research, run

        self.watch_files()
        days.write_parquet = self._around(days.write_parquet, "parquet")
        experiments.write_parquet = self._around(experiments.write_parquet, "parquet")
        # Few rows are joined here as many are elsewhere.
        export._FEWEST_ROWS_A_DAY = 1
        export.concat_parquet = self._around(export.concat_parquet, "concat")
        build = research._Build
        for step in ("__call__", "_table", "_choose", "_describe"):
            setattr(build, step, self._around(getattr(build, step), step))
        steps = run.EventsRun
        for step in ("extract", "siblings", "export", "sync"):
            setattr(steps, step, self._around(getattr(steps, step), step))


def _steps(command: dict[str, Any]) -> None:
    from outreach_platform.foundation.postgres.url import DatabaseUrl
    from outreach_platform_tests.support.event_rows import new_run, window

    now = datetime.fromisoformat(command["at"])
    run = new_run(
        Path(command["data_dir"]),
        DatabaseUrl.parse(command["conninfo"]),
        now,
        run_id=command["run_id"],
    )
    lock = run.lock()
    lock.acquire(run.run_id, 10)
    try:
        run.extract(window(DAYS, now), command.get("mode", "strict"))
        run.siblings()
        run.export(window(DAYS, now))
        run.sync(command.get("form", "view"))
    finally:
        lock.release()


def _child(command: dict[str, Any], report: Path) -> NoReturn:
    counter = EventsCounter(command["kill"], command.get("at_call"), report)
    run_counted(counter, lambda: _steps(command))


def main() -> None:
    """Serve commands until the input ends."""
    import ibis.backends.duckdb  # noqa: F401
    import pandas  # noqa: F401

    from outreach_platform.events.rules import current_rules_version
    from outreach_platform_tests.support import event_rows  # noqa: F401

    current_rules_version()
    serve(_child)


if __name__ == "__main__":
    main()
