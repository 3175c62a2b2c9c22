"""Rows as PostgreSQL's COPY reads them, and the draws that keep shares exact at any scale."""

import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]
"""One row by column name; all rows of a table have the same keys in the same order."""

_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


@dataclass(frozen=True)
class Json:
    """A jsonb value, because a list alone means an array column."""

    value: Any


def copy_text(rows: Iterable[Row]) -> str:
    """Render rows in COPY's text format: fields apart by tabs, null as a backslash and N."""
    return "".join("\t".join(map(_field, row.values())) + "\n" for row in rows)


def pick(rng: random.Random, rows: Sequence[Any], share: float, least: int = 1) -> list[Any]:
    """Draw an exact share without replacement: `share` of the rows, at least `least` if there are.

    Independent draws would let a rule vanish from a small state; an exact share does not.
    """
    return rng.sample(rows, min(len(rows), max(least, round(share * len(rows)))))


def _field(value: Any) -> str:
    if value is None:
        return "\\N"
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, Json):
        value = json.dumps(value.value, ensure_ascii=False, sort_keys=True)
    elif isinstance(value, list):
        value = "{" + ",".join(map(_element, value)) + "}"
    return str(value).translate(_ESCAPES)


def _element(value: str | None) -> str:
    if value is None:
        return "NULL"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
