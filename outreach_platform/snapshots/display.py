"""What the UI and the terminal show of a snapshot: tables and a picture, personal data masked."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path

import duckdb

from outreach_platform.foundation.redaction import mask_email, mask_emails_in, mask_phone
from outreach_platform.foundation.rules import ERRORS
from outreach_platform.foundation.warehouse import file_reader, quote_text
from outreach_platform.records.columns import ENTITIES
from outreach_platform.snapshots.layout import SplitRecord

_SHOWN_ROWS = 5
_SHOWN_SNAPSHOTS = 20
_FEWEST_SLOTS = 6
# Names are left out altogether: an id leads to the row for whoever may see it.
_SHOWN_COLUMNS = {
    "companies": ("company_unique_id", "company_name", "website_url", ERRORS),
    "people": ("unique_id", "company_unique_id", "title", "email", "work_phone_e164", ERRORS),
}
_MASKS = {"email": mask_email, "work_phone_e164": mask_phone}

# (snapshot_version, companies_good, companies_bad, people_good, people_bad)
HistoryRow = tuple[str, int, int, int, int]


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; pipes and line breaks in values are made harmless."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(_cell(value) for value in line) + " |" for line in lines)


def _cell(value: object) -> str:
    if isinstance(value, list):
        value = ", ".join(str(part) for part in value)
    text = "" if value is None else str(value)
    return text.replace("|", "\\|").replace("\n", " ")[:120]


def error_breakdown(split: SplitRecord, entity: str) -> str:
    """Rows by error code with their share of the raw rows, as a Markdown table."""
    total = split.rows(f"{entity}_raw")
    says = {rule.code: rule.says for e in ENTITIES for rule in e.rules.rules if e.name == entity}
    rows = [
        (code, count, f"{count / total:.1%}" if total else "", says.get(code, ""))
        for code, count in split.errors[entity].items()
    ]
    if not rows:
        return "no errors"
    return markdown_table(["code", "rows", "share", "the row is bad because"], rows)


def sample_rows(path: Path, entity: str) -> str:
    """The first rows of a split file, e-mails and phones masked, as a Markdown table."""
    with file_reader() as connection:
        relation = connection.sql(f"SELECT * FROM read_parquet({quote_text(str(path))})")
        columns = [name for name in _SHOWN_COLUMNS[entity] if name in relation.columns]
        rows = relation.select(*columns).limit(_SHOWN_ROWS).fetchall()
    if not rows:
        return "no rows"
    return markdown_table(columns, [_masked(columns, row) for row in rows])


def _masked(columns: Sequence[str], row: Sequence[object]) -> list[object]:
    values: list[object] = []
    for name, value in zip(columns, row, strict=True):
        if name in _MASKS:
            values.append(_MASKS[name](None if value is None else str(value)))
        elif isinstance(value, str):
            values.append(mask_emails_in(value))
        else:
            values.append(value)
    return values


def parquet_columns(path: Path) -> list[tuple[str, str]]:
    """Names and DuckDB types of a Parquet file's columns, in order."""
    with file_reader() as connection:
        relation = connection.sql(f"SELECT * FROM read_parquet({quote_text(str(path))})")
        return [(n, str(t)) for n, t in zip(relation.columns, relation.types, strict=True)]


def history(connection: duckdb.DuckDBPyConnection, state: str) -> list[HistoryRow]:
    """A state's last published snapshots from the workbench, oldest first."""
    rows = connection.execute(
        "SELECT snapshot_version, companies_good, companies_bad, people_good, people_bad "
        "FROM snapshots WHERE state = ? ORDER BY snapshot_version DESC LIMIT ?",
        [state, _SHOWN_SNAPSHOTS],
    ).fetchall()
    return [(v, cg, cb, pg, pb) for v, cg, cb, pg, pb in reversed(rows)]


def history_picture(state: str, rows: Sequence[HistoryRow]) -> str:
    """Good and bad over the last snapshots as an inline PNG in Markdown."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3), dpi=90, layout="constrained")
    labels = [f"{v[4:6]}-{v[6:8]}\n{v[8:10]}:{v[10:12]}" for v, *_ in rows]
    for position, (name, good, bad) in enumerate(
        (
            ("companies", [r[1] for r in rows], [r[2] for r in rows]),
            ("people", [r[3] for r in rows], [r[4] for r in rows]),
        ),
        start=1,
    ):
        axes = figure.add_subplot(1, 2, position)
        axes.bar(range(len(rows)), good, width=0.7, color="#2f7d5b", label="good")
        axes.bar(range(len(rows)), bad, width=0.7, bottom=good, color="#c9553d", label="bad")
        axes.set_xticks(range(len(rows)), labels, fontsize=6)
        # Room for a few more, so that the first snapshots are bars and not walls.
        axes.set_xlim(-0.6, max(len(rows), _FEWEST_SLOTS) - 0.4)
        axes.set_title(f"{state}: {name}", fontsize=9, loc="left")
        axes.tick_params(axis="y", labelsize=7)
        axes.spines[["top", "right"]].set_visible(False)
    handles, names = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper right", ncols=2, fontsize=7, frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    encoded = base64.b64encode(buffer.getvalue()).decode()
    return f"![good and bad over the last snapshots of {state}](data:image/png;base64,{encoded})"
