"""Two databases, the people who work in them, and runs that end between the two."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg2

from outreach_platform.embedded import schema
from outreach_platform.enrichment.entities import COMPANY
from outreach_platform.enrichment.run import EnrichmentRun
from outreach_platform.foundation.postgres.connection import connect
from outreach_platform.foundation.postgres.session import Session
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.settings import load_settings
from outreach_platform_tests.enrichment.model import COLUMNS, MASTER, Content

DESK, SOURCE = "public.company_needs_enrichment", "marketing.company_invalid"
_MASTERS = "marketing.company_master"
_TRUNCATE = (
    f"TRUNCATE {_MASTERS}, {SOURCE}, marketing.promotion_history, "
    "marketing.enrichment_conflicts, public.shq_validation_log, shq.audit_log "
    "RESTART IDENTITY CASCADE"
)
_STEPS = {"now": timedelta(0), "past": timedelta(days=-2), "future": timedelta(hours=2)}


class Crash(Exception):
    """The process ends here."""


class CrashingNeon(Session):
    """When armed: what is done while the workspace commits is rolled back, and the run ends."""

    def __init__(self, url: DatabaseUrl, workspace: "CrashingWorkspace") -> None:
        super().__init__(url)
        self.armed, self.calls, self._workspace = False, 0, workspace

    def run(self, work: Callable[[Any], Any]) -> Any:
        def ends(cursor: Any) -> Any:
            before = self._workspace.calls
            result = work(cursor)
            if self._workspace.calls > before:
                raise Crash
            return result

        result = super().run(ends if self.armed else work)
        self.calls += 1
        return result


class CrashingWorkspace(Session):
    """When armed: the run ends before the workspace hears of what Neon has committed."""

    neon: CrashingNeon

    def __init__(self, url: DatabaseUrl) -> None:
        super().__init__(url)
        self.armed, self.calls, self._before = False, 0, 0

    def arm(self) -> None:
        self.armed, self._before = True, self.neon.calls

    def run(self, work: Callable[[Any], Any]) -> Any:
        if self.armed and self.neon.calls > self._before:
            raise Crash
        result = super().run(work)
        self.calls += 1
        return result


class CrashingRun(EnrichmentRun):
    """Ends between a stage in Neon and what follows it in the workspace."""

    dies_in: str | None = None

    def settle(self, entity: Any) -> Any:
        if self.dies_in == "settle":
            raise Crash
        return super().settle(entity)

    def pull(self, entity: Any) -> Any:
        if self.dies_in == "pull" and entity is COMPANY:
            raise Crash
        return super().pull(entity)


class World:
    """Two prepared databases, one run on them, and everybody else's hands."""

    def __init__(self, neon: DatabaseUrl, workspace: DatabaseUrl, folder: Path) -> None:
        with connect(neon) as connection:
            schema.create_neon(connection)
        self.run = CrashingRun(load_settings(data_dir=folder), neon, workspace, "first")
        self.workspace = CrashingWorkspace(workspace)
        self.neon = CrashingNeon(neon, self.workspace)
        self.workspace.neon = self.neon
        self.run.neon, self.run.workspace = self.neon, self.workspace
        self.run.promote(COMPANY)
        self._connections = [psycopg2.connect(url.conninfo) for url in (neon, workspace)]
        for connection in self._connections:
            connection.autocommit = True
        self._at_neon, self._at_desk = (c.cursor() for c in self._connections)

    def close(self) -> None:
        self.run.close()
        for connection in self._connections:
            connection.close()

    def start_over(self) -> None:
        self._at_neon.execute(_TRUNCATE)
        self._at_desk.execute(f"TRUNCATE {DESK} RESTART IDENTITY")

    def survives(self, stage: Callable[[], Any]) -> None:
        """Do a stage, whether or not it is let come to its end."""
        try:
            stage()
        except Crash:
            self.run.close()
        finally:
            self.neon.armed = self.workspace.armed = False
            self.run.dies_in = None

    def neon_rows(self, query: str) -> list[tuple]:
        self._at_neon.execute(query)
        return self._at_neon.fetchall()

    def desk_rows(self, query: str) -> list[tuple]:
        self._at_desk.execute(query)
        return self._at_desk.fetchall()

    def masters(self) -> list[tuple]:
        """Each master's key and the values of the model's columns."""
        names = ", ".join(f"{MASTER[column][0]}::text" for column in COLUMNS)
        return self.neon_rows(f"SELECT company_unique_id, {names} FROM {_MASTERS}")

    def told_and_archived(self) -> tuple[set[Any], list[tuple]]:
        """Enrichers' values in the log of conflicts, and whole rows in edit_history."""
        told = self.neon_rows(
            "SELECT record_key, column_name, workspace_value FROM marketing.enrichment_conflicts"
        )
        archived = self.desk_rows(
            f"SELECT company_unique_id, e -> 'content' FROM {DESK}, "
            "jsonb_array_elements(edit_history) e"
        )
        return {((key, column), value) for key, column, value in told}, archived

    def insert_source(self, key: str, content: Content, at: str) -> tuple[int, datetime]:
        """A record fails validation; its number, and when."""
        self._at_neon.execute(
            f"INSERT INTO {SOURCE} ({', '.join(COLUMNS)}, company_unique_id, reason_code, "
            "validation_errors, updated_at) VALUES (%s, %s, %s, %s, %s, 'EMPTY_NAME', '{}', %s) "
            "RETURNING id, updated_at",
            [*(content[column] for column in COLUMNS), key, _moment(at)],
        )
        return _only(self._at_neon.fetchall())

    def change_source(self, key: str, changes: Content, at: str) -> datetime:
        sets = _sets(changes)
        self._at_neon.execute(
            f"UPDATE {SOURCE} SET {sets}, updated_at = %s WHERE company_unique_id = %s "
            "RETURNING updated_at",
            [*changes.values(), _moment(at), key],
        )
        return _only(self._at_neon.fetchall())[0]

    def change_errors(self, key: str, said: str) -> None:
        self._at_neon.execute(
            f"UPDATE {SOURCE} SET validation_errors = jsonb_build_array(%s) "
            "WHERE company_unique_id = %s",
            [said, key],
        )

    def delete_source(self, key: str) -> None:
        self._at_neon.execute(f"DELETE FROM {SOURCE} WHERE company_unique_id = %s", [key])

    def insert_master(self, key: str, content: Content) -> datetime:
        self._at_neon.execute(
            f"INSERT INTO {_MASTERS} ({', '.join(MASTER[c][0] for c in content)}, "
            "company_unique_id, source_system, promoted_from_intake_at, updated_at) "
            "VALUES (%s, %s, %s, %s, %s, 'intake', now(), now() - interval '1 day')",
            [*content.values(), key],
        )
        return self.master_time(key)

    def change_master(self, key: str, changes: Content, at: str) -> datetime:
        sets = _sets({MASTER[column][0]: value for column, value in changes.items()})
        self._at_neon.execute(
            f"UPDATE {_MASTERS} SET {sets}, updated_at = %s WHERE company_unique_id = %s",
            [*changes.values(), _moment(at), key],
        )
        return self.master_time(key)

    def master_time(self, key: str) -> datetime:
        """When a master was changed, in UTC."""
        self._at_neon.execute(
            f"SELECT updated_at AT TIME ZONE 'UTC' FROM {_MASTERS} WHERE company_unique_id = %s",
            [key],
        )
        return _only(self._at_neon.fetchall())[0]

    def edit(self, key: str, changes: Content, status: str | None) -> datetime:
        """An enricher changes a row of the workspace; the version that it has now."""
        given = {**changes, "enrichment_status": status} if status else changes
        self._at_desk.execute(
            f"UPDATE {DESK} SET {_sets(given)} WHERE company_unique_id = %s RETURNING updated_at",
            [*given.values(), key],
        )
        return _only(self._at_desk.fetchall())[0]

    def desk_time(self, key: str) -> datetime:
        """The version of a row of the workspace."""
        self._at_desk.execute(f"SELECT updated_at FROM {DESK} WHERE company_unique_id = %s", [key])
        return _only(self._at_desk.fetchall())[0]

    def step_back(self, key: str) -> datetime:
        """Set a row's version back by an hour, past the trigger."""
        self._at_desk.execute(
            f"UPDATE {DESK} SET updated_at = updated_at - interval '1 hour' "
            "WHERE company_unique_id = %s RETURNING updated_at",
            [key],
        )
        return _only(self._at_desk.fetchall())[0]

    @contextmanager
    def without_trigger(self) -> Iterator[None]:
        self._at_desk.execute(f"ALTER TABLE {DESK} DISABLE TRIGGER USER")
        yield
        self._at_desk.execute(f"ALTER TABLE {DESK} ENABLE TRIGGER USER")


def content_of(table: str = "t") -> str:
    """The columns of the model as one JSON object of texts."""
    pairs = ", ".join(f"'{column}', {table}.{column}::text" for column in COLUMNS)
    return f"jsonb_build_object({pairs})"


def _sets(changes: Mapping[str, Any]) -> str:
    return ", ".join(f"{column} = %s" for column in changes)


def _only(rows: list[tuple]) -> Any:
    (row,) = rows
    return row


def _moment(at: str) -> datetime:
    return datetime.now(UTC).replace(tzinfo=None) + _STEPS[at]
