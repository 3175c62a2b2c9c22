"""What a record says, compared: content hashes, and the merge of three versions."""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Content = dict[str, str | None]

# No PostgreSQL text holds a zero byte, so that no value can look like the end of another.
_VALUE, _NULL = "\x00=", "\x00-"


def content_hash(columns: Iterable[str], content: Mapping[str, str | None]) -> str:
    """MD5 of the values in the order of `columns`, separated; null and empty differ."""
    values = (content.get(column) for column in columns)
    text = "".join(_NULL if value is None else _VALUE + value for value in values)
    return hashlib.md5(text.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()


def source_hash(columns: Iterable[str], content: Mapping[str, str | None], *about: Any) -> str:
    """MD5 of a source row as the enrichers see it: its content, its reason and its errors.

    Args:
        columns: data columns in their order.
        content: their values.
        about: reason, errors and warnings; objects are hashed with their keys in order.
    """
    parts = [content_hash(columns, content), *(_canonical(part) for part in about)]
    return hashlib.md5("\n".join(parts).encode(), usedforsecurity=False).hexdigest()


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=True, default=str)


def errors_by_column(errors: Any) -> dict[str, str]:
    """Validation errors as an object by column, whatever form they were written in.

    Old rows hold a list of sentences, `["website: empty"]`, some a single text.
    """
    if isinstance(errors, Mapping):
        return {str(column): _said(message) for column, message in errors.items()}
    if errors is None:
        return {}
    found: dict[str, str] = {}
    for sentence in errors if isinstance(errors, list) else [errors]:
        column, colon, message = _said(sentence).partition(":")
        known = bool(colon) and column.strip().isidentifier()
        name, text = (column.strip(), message.strip()) if known else ("record", _said(sentence))
        found[name] = f"{found[name]}; {text}" if name in found else text
    return found


def _said(message: Any) -> str:
    return message if isinstance(message, str) else json.dumps(message, ensure_ascii=False)


@dataclass(frozen=True)
class Conflict:
    """Both sides changed the same column in different ways.

    Attributes:
        column: which.
        base: the value that was pulled; None also where that is not known.
        workspace: the enricher's value.
        source: the value in Neon.
        winner: `workspace` or `source`.
    """

    column: str
    base: str | None
    workspace: str | None
    source: str | None
    winner: str


@dataclass(frozen=True)
class Merge:
    """What came of three versions of one record.

    Attributes:
        content: the merged values.
        conflicts: columns that both sides changed.
    """

    content: Content
    conflicts: tuple[Conflict, ...]


def merge(
    columns: Collection[str],
    *,
    base: Mapping[str, str | None] | None,
    workspace: Mapping[str, str | None],
    source: Mapping[str, str | None],
    workspace_wins: bool,
    source_is_ours: bool = False,
) -> Merge:
    """Merge the workspace's and the source's version, from what was pulled.

    Args:
        columns: the data columns.
        base: what was pulled or last agreed on; None where nobody knows: there a value counts
            more than none.
        workspace: the enricher's version.
        source: Neon's version.
        workspace_wins: who wins where both changed a column: whoever is newer, on a tie the
            workspace.
        source_is_ours: the source is as our own push left it; where both changed, the workspace
            has simply moved on since.
    """
    merged: Content = {}
    conflicts: list[Conflict] = []
    for column in columns:
        ours, theirs = workspace.get(column), source.get(column)
        known = base is not None and column in base
        before = base[column] if base is not None and known else None
        if ours == theirs or (known and theirs == before):
            merged[column] = ours
        elif known and ours == before:
            merged[column] = theirs
        elif not known and (_blank(ours) or _blank(theirs)):
            # Nobody knows whether it was ever emptied: a column that was just added is empty, too.
            merged[column] = theirs if _blank(ours) else ours
        elif source_is_ours:
            merged[column] = ours
        else:
            winner = "workspace" if workspace_wins else "source"
            merged[column] = ours if workspace_wins else theirs
            conflicts.append(Conflict(column, before, ours, theirs, winner))
    return Merge(merged, tuple(conflicts))


def _blank(value: str | None) -> bool:
    return not (value or "").strip()
