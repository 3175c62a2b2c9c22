"""The masters' rows that a snapshot rejected: as they are now, judged again, and mapped back.

The mapping is that of a promotion, reversed. The rules are the snapshot's own, compiled to
PostgreSQL.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from psycopg2.extensions import cursor as Cursor

from outreach_platform.enrichment.content import Content
from outreach_platform.enrichment.entities import COMPANY, PEOPLE, entity_named
from outreach_platform.enrichment.tables import Places, qualified
from outreach_platform.foundation.errors import SourceError
from outreach_platform.foundation.postgres.shape import Shape, naive_utc, recordset
from outreach_platform.foundation.rules import ERRORS, WARNINGS
from outreach_platform.foundation.warehouse import quote_identifier
from outreach_platform.records.rules import COMPANY_RULES, UNTIED_PEOPLE_RULES

# Whether a person's company is good is not asked: enrichers cannot mend it in the person.
_RULES = {COMPANY.name: COMPANY_RULES, PEOPLE.name: UNTIED_PEOPLE_RULES}
_CANDIDATES = "candidates"

Verdicts = dict[str, tuple[list[str], list[str]]]


@dataclass(frozen=True)
class MasterRow:
    """A row of the master.

    Attributes:
        judged: texts by the columns that the rules read, with the key.
        content: texts by data column, as far as the master has them.
        updated_at: naive UTC; None where the master does not tell.
    """

    key: str
    judged: Content
    content: Content
    updated_at: datetime | None

    def judged_as(self, places: Places, content: Content) -> Content:
        """What the rules read if the master had this content."""
        names = places.entity.to_master
        mapped = {name: content[c] for c in self.content for name in names.get(c, ())}
        return {**self.judged, **{c: v for c, v in mapped.items() if c in self.judged}}


@dataclass(frozen=True)
class Masters:
    """One entity's master.

    Attributes:
        places: the entity's tables.
        companies: what company_master is made of; people get their company's name from it.
        schema: of the tables in Neon.
    """

    places: Places
    companies: Shape
    schema: str

    @property
    def name(self) -> str:
        """The master as source_table names it."""
        return f"{self.schema}.{self.places.entity.master}"

    def check(self) -> None:
        """Refuse a master that cannot be judged.

        Raises:
            SourceError: it lacks a column that an error rule reads.
        """
        needed = _RULES[self.places.entity.name].required_columns
        missing = [column for column in needed if column not in self.places.master_shape]
        if missing:
            raise SourceError(
                f"{self.name} lacks {', '.join(missing)}, which the rules need: add what is missing"
            )

    def read(self, cursor: Cursor, keys: Sequence[str]) -> list[MasterRow]:
        """The rows of these keys in the order of their keys, locked against changes."""
        entity, shape = self.places.entity, self.places.master_shape
        mapped = (name for names in entity.to_master.values() for name in names)
        wanted = dict.fromkeys((*self._judged, *mapped, "full_name"))
        columns = [column for column in wanted if column in shape]
        listed = ", ".join(f"m.{quote_identifier(column)}::text" for column in columns)
        updated = naive_utc(shape, "updated_at", "m") if "updated_at" in shape else "NULL"
        key = f"m.{quote_identifier(entity.key)}"
        cursor.execute(
            f"SELECT ARRAY[{listed}]::text[], {updated}, {self._company_name()} "
            f"FROM {self.places.master} m WHERE {key} = ANY(%s) ORDER BY {key} FOR SHARE OF m",
            [list(keys)],
        )
        found: dict[str, MasterRow] = {}
        for values, moment, company_name in cursor.fetchall():
            row: Content = dict(zip(columns, values, strict=True))
            judged = {column: row[column] for column in self._judged}
            name = str(row[entity.key])
            found[name] = MasterRow(name, judged, self._content(row, company_name), moment)
        return list(found.values())

    def judge(self, cursor: Cursor, rows: Iterable[Content]) -> Verdicts:
        """Errors and warnings by key.

        Args:
            cursor: of a transaction on Neon.
            rows: texts by the columns that the rules read, with the key.
        """
        given = list(rows)
        if not given:
            return {}
        statement = _judging_sql(self.places.entity.name, self._judged)
        cursor.execute(statement, [json.dumps(given)])
        return {key: (errors, warnings) for key, errors, warnings in cursor.fetchall()}

    @property
    def _judged(self) -> tuple[str, ...]:
        """The key, and the columns that the rules read as far as they are there."""
        entity = self.places.entity
        read = (column for rule in _RULES[entity.name].rules for column in rule.columns)
        there = (column for column in read if column in self.places.master_shape)
        return tuple(dict.fromkeys((entity.key, *there)))

    def _company_name(self) -> str:
        person = self.places.entity.name == PEOPLE.name
        if not person or not {"company_name", COMPANY.key} <= self.companies.keys():
            return "NULL"
        return (
            f"(SELECT c.company_name::text FROM {qualified(self.schema, COMPANY.master)} c "
            f"WHERE c.company_unique_id = m.company_unique_id LIMIT 1)"
        )

    def _content(self, row: Content, company_name: str | None) -> Content:
        """The master's values by data column; of two columns for one, the first that says a thing.

        Data columns that the master has nothing for, such as a company's domain, are left out.
        """
        content: Content = {}
        for column, names in self.places.entity.to_master.items():
            there = [row[name] for name in names if name in row]
            if there:
                content[column] = next((v for v in there if not blank(v)), there[0])
        if self.places.entity.name == PEOPLE.name:
            content["full_name"] = row.get("full_name") or _full_name(row)
            content["company_name"] = company_name
        return {c: content[c] for c in self.places.columns if c in content}


def _full_name(row: Content) -> str | None:
    parts = (row.get(column) or "" for column in ("first_name", "last_name"))
    return " ".join(part.strip() for part in parts if part.strip()) or None


def blank(value: str | None) -> bool:
    """Whether a value says nothing."""
    return value is None or not value.strip()


@cache
def _judging_sql(name: str, columns: tuple[str, ...]) -> str:
    """A statement that judges rows of texts, its one parameter a JSON array of objects.

    It gives `(key, errors text[], warnings text[])` for each of them.
    """
    import ibis

    types = dict.fromkeys(columns, "text")
    table = ibis.table(dict.fromkeys(columns, "string"), name=_CANDIDATES)
    scored = _RULES[name].score(table).select(entity_named(name).key, ERRORS, WARNINGS)
    judged = str(ibis.to_sql(scored, dialect="postgres")).replace("%", "%%")
    return (
        f"WITH {_CANDIDATES} AS (SELECT * FROM {recordset(types)}) "
        f"SELECT * FROM ({judged}) AS judged"
    )
