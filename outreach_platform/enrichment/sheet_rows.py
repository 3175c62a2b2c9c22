"""Rows of the workspace for a spreadsheet, and a spreadsheet's edits for the workspace.

An import is an enricher's edit: the triggers see it as one. Compare-and-set: a line is written only
onto the very version that it was exported from, and only while nobody changes that.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from psycopg2.extensions import cursor as Cursor

from outreach_platform.enrichment.content import Content, errors_by_column
from outreach_platform.enrichment.entities import ENTITIES, entity_named
from outreach_platform.enrichment.rows import content_sql, read_workspace, version_sql
from outreach_platform.enrichment.sheet_edits import STALE, Edit, Judge
from outreach_platform.enrichment.spreadsheet import (
    STATUS,
    WORK_COLUMNS,
    LineProblem,
    Sheet,
    SheetLine,
    SheetRow,
    shown,
    version_token,
)
from outreach_platform.enrichment.tables import Places, rows_as_dicts
from outreach_platform.foundation.postgres.session import Session, apply_rows
from outreach_platform.foundation.postgres.shape import clock, recordset, types_of
from outreach_platform.foundation.warehouse import quote_identifier

_OPEN = ("pending", "in_progress", "failed")
_ROWS, _CHARACTERS = 500, 4_000_000


@dataclass
class ImportReport:
    """What an import did.

    Attributes:
        changed: rows of the workspace that were written.
        unchanged: lines that hold no edit.
        completed: those of the changed rows whose status became `complete`.
        refused: lines that were not taken, in the file's order.
        notices: what the whole file has to be told.
    """

    changed: int = 0
    unchanged: int = 0
    completed: int = 0
    refused: list[LineProblem] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)


def export_rows(
    cursor: Cursor, places: Sequence[Places], *, include_complete: bool = False
) -> Iterator[SheetRow]:
    """The records that enrichers still have to do with, read page by page in the order of ids.

    Args:
        cursor: of a transaction on the workspace, open until the last row is taken.
        places: whose rows.
        include_complete: also rows that are complete; promoted ones never are exported.
    """
    statuses = [*_OPEN, *(["complete"] if include_complete else [])]
    for each in places:
        after: str | None = None
        while rows := _page(cursor, each, statuses, after):
            for row in rows:
                yield _sheet_row(each, row)
            after = rows[-1]["key"]


def _page(cursor: Cursor, places: Places, statuses: list[str], after: str | None) -> list[dict]:
    key = quote_identifier(places.entity.key)
    onward, parameters = ("", []) if after is None else (f"AND t.{key} > %s ", [after])
    cursor.execute(
        f"SELECT t.{key} AS key, {content_sql(places.columns)} AS content, "
        f"{', '.join(f't.{name}' for name in WORK_COLUMNS)}, t.reason_code, "
        "t.original_validation_errors AS errors, "
        f"{version_sql(places)} AS moment "
        f"FROM {places.workspace} t WHERE t.{STATUS} = ANY(%s) AND t.promoted_at IS NULL {onward}"
        f"ORDER BY t.{key} LIMIT %s",
        [statuses, *parameters, _ROWS],
    )
    return list(rows_as_dicts(cursor))


def _sheet_row(places: Places, row: dict) -> SheetRow:
    values: Content = {**row["content"], **{name: row[name] for name in WORK_COLUMNS}}
    errors = errors_by_column(row["errors"]).items()
    return SheetRow(
        entity=places.entity.name,
        record_id=row["key"],
        version=version_token((*places.columns, *WORK_COLUMNS), values, row["moment"]),
        reason_code=row["reason_code"],
        validation_errors="; ".join(f"{column}: {said}" for column, said in errors),
        values=values,
    )


def import_sheet(
    session: Session,
    places: Mapping[str, Places],
    sheet: Sheet,
    *,
    by: str | None = None,
    entity: str | None = None,
) -> ImportReport:
    """Bring a file's edits into the workspace, in batches of a transaction each.

    After an interruption the same file can be imported again: what is there counts as unchanged.

    Args:
        session: the workspace's database.
        places: the tables by the name of their entity.
        sheet: the file.
        by: who enriched, where a line that becomes complete does not say.
        entity: only lines of this one; also what lines are that do not say.

    Raises:
        UsageError: `entity` is none.
        SourceError: the database is away or refuses; earlier batches stay.
    """
    if entity is not None:
        entity_named(entity)
    report = ImportReport(refused=list(sheet.problems), notices=list(sheet.notices))
    wanted = {name: p for name, p in places.items() if entity in (None, name)}
    lines = _by_entity(sheet, wanted, entity, report)
    for name, each in wanted.items():
        judge = Judge(each, sheet, (by or "").strip() or None)
        for batch in _batches(lines[name]):
            _add(report, session.run(partial(_bring, judge=judge, lines=batch)))
    report.refused.sort(key=lambda problem: problem.line)
    return report


def _by_entity(
    sheet: Sheet, wanted: Mapping[str, Places], entity: str | None, report: ImportReport
) -> dict[str, list[SheetLine]]:
    lines: dict[str, list[SheetLine]] = {name: [] for name in wanted}
    left_out = 0
    for line in sheet.lines:
        name = line.entity or entity or _told_by_id(line.record_id)
        if name is None:
            reason = "neither entity nor record_id tells company or people: fill in entity"
            report.refused.append(LineProblem(line.line, shown(line.record_id), reason))
        elif name in lines:
            lines[name].append(line)
        else:
            left_out += 1
    if left_out:
        report.notices.append(f"{left_out} lines are of another entity and were left out")
    return lines


def _told_by_id(record_id: str) -> str | None:
    return next((e.name for e in ENTITIES if re.fullmatch(e.key_pattern, record_id)), None)


def _batches(lines: Sequence[SheetLine]) -> Iterator[list[SheetLine]]:
    """Lines in batches that the server can take in one parameter, however long the notes are."""
    batch: list[SheetLine] = []
    characters = 0
    for line in lines:
        length = sum(len(cell) for cell in line.cells if cell)
        if batch and (len(batch) == _ROWS or characters + length > _CHARACTERS):
            yield batch
            batch, characters = [], 0
        batch.append(line)
        characters += length
    if batch:
        yield batch


def _add(report: ImportReport, part: ImportReport) -> None:
    report.changed += part.changed
    report.unchanged += part.unchanged
    report.completed += part.completed
    report.refused += part.refused


def _bring(cursor: Cursor, *, judge: Judge, lines: list[SheetLine]) -> ImportReport:
    """Write what one batch changes, in its transaction."""
    key = quote_identifier(judge.places.entity.key)
    keys = [line.record_id for line in lines]
    rows = {
        row.key: row for row in read_workspace(cursor, judge.places, f"t.{key} = ANY(%s)", [keys])
    }
    report = ImportReport()
    edits: list[Edit] = []
    for line in lines:
        found = judge.judged(line, rows.get(line.record_id))
        if isinstance(found, Edit):
            edits.append(found)
        elif isinstance(found, LineProblem):
            report.refused.append(found)
        else:
            report.unchanged += 1
    written, refused = _write(cursor, judge, edits)
    report.changed = len(written)
    report.completed = sum(edit.completes for edit in written)
    report.refused += [
        LineProblem(edit.line.line, shown(edit.line.record_id), reason) for edit, reason in refused
    ]
    return report


def _write(
    cursor: Cursor, judge: Judge, edits: Sequence[Edit]
) -> tuple[list[Edit], list[tuple[Edit, str]]]:
    """Write edits onto the rows that are still as they were read."""
    if not edits:
        return [], []
    columns = [c for c in judge.columns if any(c in edit.changes for edit in edits)]
    statement = _statement(judge.places, columns)
    written: set[str] = set()

    def write(part: Sequence[Edit]) -> None:
        cursor.execute(statement, [json.dumps([_values(edit, columns) for edit in part])])
        written.update(key for (key,) in cursor.fetchall())

    taken, refused = apply_rows(cursor, edits, write)
    moved_on = [(edit, STALE) for edit in taken if edit.row.key not in written]
    return [edit for edit in taken if edit.row.key in written], refused + moved_on


def _values(edit: Edit, columns: Sequence[str]) -> dict:
    row = edit.row
    return {
        **{column: edit.values[column] for column in columns},
        "record_id": row.key,
        "completes": edit.completes,
        "read_version": None if row.version is None else str(row.version),
        "read_status": row.status,
        "read_content": row.content,
    }


def _statement(places: Places, columns: Sequence[str]) -> str:
    """The statement that writes many edits; it returns the keys of the rows that it found."""
    shape, key = places.workspace_shape, quote_identifier(places.entity.key)
    types = {
        **types_of(shape, columns),
        "record_id": "text",
        "completes": "boolean",
        "read_version": "timestamp",
        "read_status": "text",
        "read_content": "jsonb",
    }
    sets = ", ".join(f"{quote_identifier(c)} = v.{quote_identifier(c)}" for c in columns)
    return (
        f"UPDATE {places.workspace} t SET {sets}, enriched_at = "
        f"CASE WHEN v.completes THEN {clock(shape, 'enriched_at')} ELSE t.enriched_at END "
        f"FROM {recordset(types)} WHERE t.{key} = v.record_id AND t.promoted_at IS NULL "
        f"AND {version_sql(places)} = v.read_version "
        f"AND t.{STATUS}::text IS NOT DISTINCT FROM v.read_status "
        f"AND {content_sql(places.columns)} = v.read_content RETURNING t.{key}"
    )
