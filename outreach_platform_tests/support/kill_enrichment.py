"""Runs of the enrichment wing in processes that kill themselves at a chosen statement.

`python -m outreach_platform_tests.support.kill_enrichment` serves commands as `kill_at` does; its
children go through the stages of a round trip. Counted are the moments before and after each
statement that changes something, and before and after each commit, in either database.
"""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NoReturn

from outreach_platform_tests.support.kill_at import Counter, Killer, killer, run_counted, serve

_CHANGING = ("INSERT", "UPDATE", "DELETE", "ALTER", "CREATE")


def enrichment_killer() -> AbstractContextManager[Killer]:
    """The forking process, for the time of a block."""
    return killer("kill_enrichment")


class EnrichmentCounter(Counter):
    """Counts what the two sessions of a run do; ends the process by number."""

    stage = ""

    def install(self) -> None:
        """Watch this process from now on."""
        import psycopg2.extensions

        from outreach_platform.foundation.postgres import connection

        counter = self

        class Cursor(psycopg2.extensions.cursor):
            def execute(self, query: Any, vars: Any = None) -> None:
                changes = str(query).lstrip().startswith(_CHANGING)
                said = f"{counter.stage} {self.connection.info.dbname} {str(query).lstrip()[:40]}"
                if changes:
                    counter.count(f"before {said}")
                super().execute(query, vars)
                if changes:
                    counter.count(f"after {said}")

        class Connection(psycopg2.extensions.connection):
            def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
                if kind is None and self.info.transaction_status:
                    counter.count(f"before {counter.stage} {self.info.dbname} COMMIT")
                super().__exit__(kind, error, trace)
                if kind is None:
                    counter.count(f"after {counter.stage} {self.info.dbname} COMMIT")

            def cursor(self, *args: Any, **kwargs: Any) -> Any:
                return super().cursor(*args, **{"cursor_factory": Cursor, **kwargs})

        connect = psycopg2.connect

        def connected(*args: Any, **kwargs: Any) -> Any:
            return connect(*args, **{"connection_factory": Connection, **kwargs})

        connection.psycopg2.connect = connected


def _steps(command: dict[str, Any], counter: EnrichmentCounter) -> None:
    from outreach_platform.enrichment.entities import ENTITIES
    from outreach_platform.enrichment.run import EnrichmentRun
    from outreach_platform.foundation.postgres.url import DatabaseUrl
    from outreach_platform.settings import load_settings

    run = EnrichmentRun(
        load_settings(data_dir=Path(command["data_dir"])),
        DatabaseUrl.parse(command["neon"]),
        DatabaseUrl.parse(command["workspace"]),
        command["run_id"],
        batch_size=command["batch_size"],
    )
    for stage in command["stages"]:
        counter.stage = stage
        if stage == "undo":
            run.undo(command["undone"])
            continue
        for entity in ENTITIES:
            getattr(run, stage)(entity)
    run.close()


def _child(command: dict[str, Any], report: Path) -> NoReturn:
    counter = EnrichmentCounter(command["kill"], report)
    run_counted(counter, lambda: _steps(command, counter))


def main() -> None:
    """Serve commands until the input ends."""
    import ibis.backends.duckdb  # noqa: F401

    from outreach_platform.enrichment import judging, run  # noqa: F401
    from outreach_platform.enrichment.rules import promotion_rules_version

    promotion_rules_version()
    serve(_child)


if __name__ == "__main__":
    main()
