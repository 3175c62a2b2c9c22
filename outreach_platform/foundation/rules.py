"""Rules once: a code, a severity and an Ibis expression that is never null.

The same rule set scores a DuckDB table for a snapshot and compiles to PostgreSQL for revalidation.
A scored table carries the codes of all violated rules, so that good and bad are filters of one
table and good + bad = raw holds by construction. Which rules there are is not said here.

Regular expressions in rules keep to anchors, classes, groups and counts: every engine reads those
alike.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from outreach_platform.foundation.errors import SourceError

if TYPE_CHECKING:
    import ibis.expr.types as ir

Severity = Literal["error", "warning"]
Tables = Mapping[str, "ir.Table"]

ERRORS = "validation_errors"
WARNINGS = "validation_warnings"


@dataclass(frozen=True)
class Rule:
    """One rule about one row.

    Attributes:
        code: public name; rows carry it in `validation_errors` or `validation_warnings`.
        severity: an `error` makes the row bad, a `warning` never does.
        columns: columns the expression reads.
        violated: from the table (and the related tables by name) to a boolean column, true where
            the row breaks the rule. It must not be null for any row; where it is all the same, an
            error counts as violated, because unknown is not good.
        says: what is wrong, in words for a person.
    """

    code: str
    severity: Severity
    columns: tuple[str, ...]
    violated: "Callable[[ir.Table, Tables], ir.BooleanValue]"
    says: str


@dataclass(frozen=True)
class RuleSet:
    """The rules of one entity, in the order in which their codes are reported."""

    entity: str
    rules: tuple[Rule, ...]

    @property
    def required_columns(self) -> tuple[str, ...]:
        """Columns that error rules read: without them nothing can be judged."""
        errors = (rule for rule in self.rules if rule.severity == "error")
        return tuple(dict.fromkeys(column for rule in errors for column in rule.columns))

    def applicable(self, columns: Collection[str]) -> tuple[Rule, ...]:
        """The rules whose columns are all there. Warnings may fall away, errors may not.

        Raises:
            SourceError: an error rule lacks a column.
        """
        missing = [name for name in self.required_columns if name not in columns]
        if missing:
            raise SourceError(
                f"the {self.entity} rules need {', '.join(missing)}, which the table lacks; "
                "nothing can be judged without: add it to the source and pull again"
            )
        return tuple(rule for rule in self.rules if set(rule.columns) <= set(columns))

    def score(self, table: "ir.Table", related: Tables | None = None) -> "ir.Table":
        """Add `validation_errors` and `validation_warnings`, both arrays of text, never null.

        Args:
            table: rows to judge, one a record; all its columns are kept.
            related: tables that rules look into, by name.

        Raises:
            SourceError: an error rule lacks a column.
        """
        rules = self.applicable(table.columns)
        return table.mutate(
            **{
                ERRORS: _codes(table, [r for r in rules if r.severity == "error"], related or {}),
                WARNINGS: _codes(table, [r for r in rules if r.severity != "error"], related or {}),
            }
        )

    def tally(self, table: "ir.Table", related: Tables | None = None) -> "ir.Table":
        """One row that counts, by code, the rows that violate each rule; null counts as `score`'s.

        Args:
            table: rows to judge; it may have further columns.
            related: tables that rules look into, by name.

        Raises:
            SourceError: an error rule lacks a column.
        """
        return table.aggregate(
            [
                holds(rule, table, related or {}).sum().name(rule.code)
                for rule in self.applicable(table.columns)
            ]
        )


def holds(rule: Rule, table: "ir.Table", related: Tables) -> "ir.BooleanColumn":
    """Whether a row violates the rule, never null."""
    import ibis

    violated = rule.violated(table, related).fill_null(ibis.literal(rule.severity == "error"))
    return cast("ir.BooleanColumn", violated)


def _codes(table: "ir.Table", rules: Iterable[Rule], related: Tables) -> "ir.Value":
    import ibis

    none = ibis.null("string")
    codes = [
        ibis.ifelse(
            holds(rule, table, related),
            ibis.literal(rule.code),
            none,
        )
        for rule in rules
    ]
    if not codes:
        return ibis.literal([], type="array<string>")
    return ibis.array(codes).filter(lambda code: code.notnull())


def rules_version(rule_sets: Iterable[tuple[RuleSet, "ir.Table", Tables]]) -> str:
    """Name a set of rules by what it does: 12 hex digits of the SQL it compiles to.

    Args:
        rule_sets: each with an unbound table that has all columns, and its related tables.
    """
    import ibis

    parts = []
    for rule_set, table, related in rule_sets:
        sql = ibis.to_sql(rule_set.score(table, related), dialect="duckdb")
        codes = [(rule.code, rule.severity) for rule in rule_set.rules]
        parts.append([rule_set.entity, codes, str(sql)])
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]
