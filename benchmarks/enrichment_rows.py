"""What the enrichment wing is measured against: the predecessor's way, row by row, and the floor.

Both work on rows of `make_rows` in databases of their own, and use them up: a way that is measured
again needs them made again.
"""

import json
import os
import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import Json, RealDictCursor

from benchmarks.bulk_enrichment import (
    INVALID,
    MASTER,
    TO_MASTER,
    WORKSPACE,
    complete_all,
    connected,
    make_rows,
)
from outreach_platform.embedded.sample import words
from outreach_platform.enrichment.entities import COMPANY
from outreach_platform.enrichment.tables import syncing
from outreach_platform.foundation.postgres.url import DatabaseUrl

__all__ = ["STAGES", "complete_all", "floor", "make_rows", "row_by_row"]

STAGES = ("pull", "push", "revalidate", "promote")
_DATA = COMPANY.columns
_SET_DATA = ", ".join(f"{column} = %({column})s" for column in _DATA)


def row_by_row(neon: DatabaseUrl, supabase: DatabaseUrl) -> dict[str, float]:
    """The predecessor's way: a few statements and a commit for each row, judged in Python.

    Args:
        neon: with the rows of `make_rows`.
        supabase: with an empty workspace.

    Returns:
        Wall seconds by stage; the enricher's edit between pull and push is not among them.
    """
    stages = (_pull_rows, _push_rows, _revalidate_rows, _promote_rows)
    return _timed(neon, supabase, stages)


def floor(neon: DatabaseUrl, supabase: DatabaseUrl) -> dict[str, float]:
    """The least that has to happen: each stage one bulk transfer or statement, with no checks.

    It promotes the nameless as well, which no way that judges them does.

    Args:
        neon: with the rows of `make_rows`.
        supabase: with an empty workspace.

    Returns:
        Wall seconds by stage, as `row_by_row` has them.
    """
    return _timed(neon, supabase, (_pull_bulk, _push_bulk, _revalidate_bulk, _promote_bulk))


_Stage = Callable[[Connection, Connection], None]


def _timed(
    neon: DatabaseUrl, supabase: DatabaseUrl, stages: tuple[_Stage, ...]
) -> dict[str, float]:
    seconds: dict[str, float] = {}
    with connected(neon) as source, connected(supabase) as desk:
        for name, stage in zip(STAGES, stages, strict=True):
            started = time.perf_counter()
            stage(source, desk)
            seconds[name] = time.perf_counter() - started
            if name == "pull":
                complete_all(supabase)
    return seconds


def _pull_rows(neon: Connection, supabase: Connection) -> None:
    columns = ("neon_id", COMPANY.key, "source_batch_id", *_DATA, "original_validation_errors")
    listed, values = ", ".join(columns), ", ".join(f"%({column})s" for column in columns)
    with supabase.cursor() as cursor:
        for row in _rows(neon, f"SELECT * FROM {INVALID} ORDER BY id"):
            errors = Json(row["validation_errors"])
            row |= {"neon_id": row["id"], "source_batch_id": row["batch_id"]}
            row |= {"original_validation_errors": errors}
            cursor.execute(
                f"SELECT id FROM {WORKSPACE} WHERE company_unique_id = %s", [row[COMPANY.key]]
            )
            if cursor.fetchone() is None:
                cursor.execute(f"INSERT INTO {WORKSPACE} ({listed}) VALUES ({values})", row)
            else:
                cursor.execute(
                    f"UPDATE {WORKSPACE} SET {_SET_DATA}, neon_id = %(neon_id)s, "
                    "original_validation_errors = %(original_validation_errors)s "
                    "WHERE company_unique_id = %(company_unique_id)s",
                    row,
                )
            supabase.commit()


def _push_rows(neon: Connection, supabase: Connection) -> None:
    waiting = "enrichment_status = 'complete' AND pushed_to_neon_at IS NULL"
    with neon.cursor() as cursor, supabase.cursor() as marks:
        for row in _rows(supabase, f"SELECT * FROM {WORKSPACE} WHERE {waiting} ORDER BY id"):
            cursor.execute(
                f"UPDATE {INVALID} SET {_SET_DATA}, enrichment_status = %(enrichment_status)s, "
                "enriched_at = %(enriched_at)s, enriched_by = %(enriched_by)s, "
                "updated_at = now() AT TIME ZONE 'UTC' "
                "WHERE company_unique_id = %(company_unique_id)s",
                row,
            )
            neon.commit()
            marks.execute(
                f"UPDATE {WORKSPACE} SET pushed_to_neon_at = now() AT TIME ZONE 'UTC' "
                "WHERE id = %(id)s",
                row,
            )
            supabase.commit()


def _revalidate_rows(neon: Connection, _: Connection) -> None:
    waiting = f"SELECT id FROM {INVALID} WHERE enrichment_status = 'complete' ORDER BY id"
    with neon.cursor() as cursor:
        for found in _rows(neon, waiting):
            cursor.execute(f"SELECT company_name, website FROM {INVALID} WHERE id = %(id)s", found)
            ((name, website),) = cursor.fetchall()
            errors = _judge(name, website)
            cursor.execute(
                f"UPDATE {INVALID} SET validation_status = %s, validation_errors = %s, "
                "still_invalid = %s, revalidated_at = now() AT TIME ZONE 'UTC', "
                "revalidation_attempts = revalidation_attempts + 1 WHERE id = %s",
                ["FAILED" if errors else "PASSED", json.dumps(errors), bool(errors), found["id"]],
            )
            neon.commit()


def _judge(name: str | None, website: str | None) -> dict[str, str]:
    """Errors by field, without the rule set."""
    errors = {}
    name, website = (name or "").strip(), (website or "").strip()
    if name.lower() in ("", *words.PLACEHOLDERS) or len(name) < 2:
        errors["company_name"] = "empty or placeholder"
    if website.lower() in ("", *words.PLACEHOLDERS):
        errors["website"] = "empty or blank"
    elif "." not in website:
        errors["website"] = "has no dot"
    return errors


def _promote_rows(neon: Connection, _: Connection) -> None:
    passed = f"SELECT id FROM {INVALID} WHERE validation_status = 'PASSED' ORDER BY id"
    with neon.cursor() as cursor:
        for found in _rows(neon, passed):
            cursor.execute(_upsert("invalid.id = %(id)s"), found)
            cursor.execute(f"DELETE FROM {INVALID} WHERE id = %(id)s", found)
            _log(cursor, f"row-{found['id']}", 1)
            neon.commit()


def _upsert(condition: str) -> str:
    """One statement that brings rows of company_invalid into the master."""
    targets = [target for _, target in TO_MASTER]
    own = {
        "source_system": "'enrichment'",
        "source_record_id": "invalid.id::text",
        "promoted_from_intake_at": "now()",
        "import_batch_id": "invalid.batch_id",
        "validated_at": "now()",
        "validated_by": "'benchmark'",
        "updated_at": "now()",
    }
    columns = [COMPANY.key, *targets, *own]
    values = [COMPANY.key, *(column for column, _ in TO_MASTER), *own.values()]
    newer = ", ".join(f"{column} = excluded.{column}" for column in columns[1:])
    return (
        f"INSERT INTO {MASTER} ({', '.join(columns)}) SELECT {', '.join(values)} "
        f"FROM {INVALID} AS invalid WHERE {condition} "
        f"ON CONFLICT (company_unique_id) DO UPDATE SET {newer}"
    )


def _log(cursor: Cursor, run_id: str, count: int) -> None:
    cursor.execute(
        "INSERT INTO public.shq_validation_log (validation_run_id, source_table, target_table, "
        "total_records, passed_records, failed_records, executed_by) "
        "VALUES (%s, %s, %s, %s, %s, 0, 'benchmark')",
        [run_id, INVALID, MASTER, count, count],
    )


def _pull_bulk(neon: Connection, supabase: Connection) -> None:
    theirs = f"id, {COMPANY.key}, batch_id, {', '.join(_DATA)}, validation_errors"
    ours = (
        f"neon_id, {COMPANY.key}, source_batch_id, {', '.join(_DATA)}, original_validation_errors"
    )
    with supabase.cursor() as cursor:
        _transfer(neon, f"SELECT {theirs} FROM {INVALID}", cursor, f"{WORKSPACE} ({ours})")
    supabase.commit()


def _push_bulk(neon: Connection, supabase: Connection) -> None:
    columns = f"{COMPANY.key}, {', '.join(_DATA)}, enrichment_status, enriched_at, enriched_by"
    done = "enrichment_status = 'complete'"
    edits = ", ".join(f"{c} = p.{c}" for c in columns.split(", ")[1:])
    with neon.cursor() as cursor:
        cursor.execute(
            f"CREATE TEMP TABLE pushed ON COMMIT DROP AS SELECT {columns} FROM {INVALID} LIMIT 0"
        )
        _transfer(supabase, f"SELECT {columns} FROM {WORKSPACE} WHERE {done}", cursor, "pushed")
        cursor.execute(
            f"UPDATE {INVALID} AS i SET {edits}, updated_at = now() AT TIME ZONE 'UTC' "
            f"FROM pushed AS p WHERE p.{COMPANY.key} = i.{COMPANY.key}"
        )
    neon.commit()
    with supabase.cursor() as cursor:
        syncing(cursor)
        cursor.execute(
            f"UPDATE {WORKSPACE} SET pushed_to_neon_at = now() AT TIME ZONE 'UTC' WHERE {done}"
        )
    supabase.commit()


def _revalidate_bulk(neon: Connection, _: Connection) -> None:
    with neon.cursor() as cursor:
        cursor.execute(
            f"UPDATE {INVALID} SET validation_status = 'PASSED', validation_errors = '{{}}', "
            "still_invalid = false, revalidated_at = now() AT TIME ZONE 'UTC', "
            "revalidation_attempts = revalidation_attempts + 1 "
            "WHERE enrichment_status = 'complete'"
        )
    neon.commit()


def _promote_bulk(neon: Connection, _: Connection) -> None:
    passed = "validation_status = 'PASSED'"
    with neon.cursor() as cursor:
        cursor.execute(_upsert(passed))
        count = cursor.rowcount
        cursor.execute(f"DELETE FROM {INVALID} WHERE {passed}")
        _log(cursor, "floor", count)
    neon.commit()


def _transfer(source: Connection, query: str, cursor: Cursor, target: str) -> None:
    """COPY a query's rows into a table of another database while they are read."""
    reading, writing = os.pipe()
    failed: list[psycopg2.Error] = []

    def send() -> None:
        with os.fdopen(writing, "wb") as sink, source.cursor() as sender:
            try:
                sender.copy_expert(f"COPY ({query}) TO STDOUT (FORMAT binary)", sink)
            except psycopg2.Error as error:
                failed.append(error)

    sender = threading.Thread(target=send)
    sender.start()
    with os.fdopen(reading, "rb") as tap:
        cursor.copy_expert(f"COPY {target} FROM STDIN (FORMAT binary)", tap)
    sender.join()
    source.commit()
    if failed:
        raise failed[0]


def _rows(connection: Connection, query: str) -> list[dict[str, Any]]:
    """All rows at once, as the predecessor read them."""
    with connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(query)
        rows = [dict(row) for row in cursor.fetchall()]
    connection.commit()
    return rows
