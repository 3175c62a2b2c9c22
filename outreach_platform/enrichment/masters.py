"""What a promoted record looks like in the master: the mapping, and who wins where both have one.

Pure; `promotion` reads and writes the rows.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from outreach_platform.enrichment.entities import COMPANY, PEOPLE, Entity
from outreach_platform.enrichment.rows import InvalidRow
from outreach_platform.records.names import split_name
from outreach_platform.records.phones import e164
from outreach_platform.records.rules import PLACEHOLDERS
from outreach_platform.records.states import canonical_state

SOURCE_SYSTEM = "enrichment"
VALIDATED_BY = "outreach_platform"

# What the rules judge: a master that breaks them takes these columns even from an older record.
_JUDGED = {
    "company": ("company_name", "website_url"),
    "people": ("first_name", "last_name", "email", "title", "company_unique_id"),
}


@dataclass(frozen=True)
class Target:
    """The columns to write in the master.

    Attributes:
        row: the invalid row that they come from.
        values: texts by column; None empties a column.
        before: the master's row, None where it is new.
        before_text: the same as the server's own JSON, which keeps every digit of a number.
    """

    row: InvalidRow
    values: dict[str, str | None]
    before: Mapping[str, Any] | None
    before_text: str | None


def target(
    entity: Entity,
    row: InvalidRow,
    before_text: str | None,
    *,
    record_newer: bool,
    master_is_bad: bool,
) -> Target:
    """What the master shall hold of a record.

    The newer side wins where both have a value, and a gap is filled from whichever has one; a
    placeholder is a gap. A value that an enricher emptied on purpose is emptied in the master as
    well.

    Args:
        entity: whose.
        row: the record that passed.
        before_text: the master's row as JSON by column, None where it has none.
        record_newer: whether the record is newer than the master's row, or as old.
        master_is_bad: whether the master's row breaks an error rule; the record, which keeps them
            all, then gives the judged columns.
    """
    before = None if before_text is None else json.loads(before_text)
    mapped = _mapped(entity, row)
    cleared = {name for c in row.cleared for name in entity.to_master.get(c, ())}
    values: dict[str, str | None] = {}
    for column, value in mapped.items():
        present = None if before is None else before.get(column)
        wins = record_newer or (master_is_bad and column in _JUDGED[entity.name])
        if value is None and not (wins and column in cleared):
            continue
        if wins or _blank(present):
            values[column] = value
    if entity.name == COMPANY.name and before is not None:
        _keep_to_one_state(values, before, record_newer=record_newer)
    return Target(row, values, before, before_text)


def _keep_to_one_state(
    values: dict[str, str | None], before: Mapping[str, Any], *, record_newer: bool
) -> None:
    """Never let the two columns of a company's state name two states, one from each side."""
    name, code = ("address_state", "state_abbrev")
    after = {**before, **values}
    if _blank(after.get(name)) or _blank(after.get(code)) or (name in values and code in values):
        return
    if _abbreviation(after[name]) == str(after[code]).strip().upper():
        return
    if not record_newer:
        values.pop(name, None)
        values.pop(code, None)
    elif name in values and values[name] != before.get(name):
        values[code] = None


def _mapped(entity: Entity, row: InvalidRow) -> dict[str, str | None]:
    mapped: dict[str, str | None] = {}
    for column, names in entity.to_master.items():
        value = row.content.get(column)
        for name in names:
            mapped[name] = None if _blank(value) else value
    if entity.name == PEOPLE.name:
        return mapped | _of_person(row)
    return mapped | {"state_abbrev": _abbreviation(row.content.get("state"))}


def names_of(row: InvalidRow) -> tuple[str, str] | None:
    """First and last name of a person, split where only the full name is there; None if untold."""
    first, last = row.content.get("first_name"), row.content.get("last_name")
    if first and last and not _blank(first) and not _blank(last):
        return first, last
    return split_name(row.content.get("full_name"))


def _of_person(row: InvalidRow) -> dict[str, str | None]:
    first, last = names_of(row) or (None, None)
    return {
        "first_name": first,
        "last_name": last,
        "work_phone_e164": e164(row.content.get("phone")),
    }


def _abbreviation(state: str | None) -> str | None:
    """The two-letter code; of a state we do not serve, only where it is written as one."""
    text = (state or "").strip()
    served = canonical_state(text)
    if served is not None:
        return served
    return text.upper() if len(text) == 2 and text.isalpha() else None


def _blank(value: Any) -> bool:
    """Whether a value says nothing: null, empty, or what people type instead of nothing."""
    return value is None or (isinstance(value, str) and value.strip().casefold() in PLACEHOLDERS)
