"""The rules about one event as Ibis expressions: the contract of `schema.py` as one pass.

Codes are public: they stand in error reports and in `validation_errors` of quarantined rows.
"""

from datetime import UTC, datetime
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from outreach_platform.events import schema
from outreach_platform.events.schema import COLUMNS, EventColumn
from outreach_platform.foundation.rules import Rule, RuleSet, Tables, rules_version

if TYPE_CHECKING:
    import ibis.expr.types as ir

# A column beside the fifteen that says whether eventData is JSON: true as it stands where the
# source's type guarantees it, so that a million documents are not parsed to learn it again.
JSON_VALID = "event_data_is_json"
# The related table of ids that stand more than once, column `id`.
DOUBLED = "doubled_ids"
_FIXED = datetime(2026, 1, 1, tzinfo=UTC)


def event_rules(now: datetime) -> RuleSet:
    """The rules as of a moment.

    Args:
        now: aware; "future" and "reasonable" are relative to it.
    """
    rules: list[Rule] = []
    for column in COLUMNS:
        rules += _column_rules(column)
        if column.name == "id":
            rules.append(_error(schema.ID_NOT_UNIQUE, "id", _doubled, "the id stands twice"))
        if column.kind == "json":
            rules.append(
                Rule(
                    schema.JSON_INVALID,
                    "error",
                    ("eventData", JSON_VALID),
                    lambda t, _: t.eventData.notnull() & ~getattr(t, JSON_VALID),
                    "eventData is no JSON",
                )
            )
        if column.kind == "timestamp":
            rules += _time_rules(now)
    return RuleSet("event", (*rules, _phase_rule(), _weekday_rule()))


def _column_rules(column: EventColumn) -> list[Rule]:
    name, rules = column.name, []
    if column.required:
        rules.append(
            _error(f"{column.code}_missing", name, lambda t, _: t[name].isnull(), f"no {name}")
        )
    if (pattern := column.pattern) is not None:
        rules.append(
            _error(
                f"{column.code}_invalid",
                name,
                lambda t, _: t[name].notnull() & ~t[name].re_search(pattern),
                f"{name} is no CUID",
            )
        )
    if (allowed := column.allowed) is not None:
        rules.append(
            _error(
                f"{column.code}_unknown",
                name,
                lambda t, _: t[name].notnull() & t[name].notin(allowed),
                f"{name} is none of the known values",
            )
        )
    if (bounds := column.bounds) is not None:
        rules.append(
            _error(
                f"{column.code}_out_of_range",
                name,
                lambda t, _: t[name].notnull() & ~t[name].between(*bounds),
                f"{name} is not within {bounds[0]} to {bounds[1]}",
            )
        )
    return rules


def _error(code: str, column: str, violated, says: str) -> Rule:
    return Rule(code, "error", (column,), violated, says)


def _doubled(table: "ir.Table", related: Tables) -> "ir.BooleanValue":
    return table.id.notnull() & table.id.isin(related[DOUBLED].id)


def _time_rules(now: datetime) -> list[Rule]:
    return [
        _error(
            schema.NOT_FUTURE,
            "timestamp",
            partial(_beyond, limit=schema.latest_time(now), later=True),
            "the time has not come yet",
        ),
        _error(
            schema.REASONABLE,
            "timestamp",
            partial(_beyond, limit=schema.earliest_time(now), later=False),
            "the time is over five years ago",
        ),
    ]


def _beyond(
    table: "ir.Table", related: Tables, *, limit: datetime, later: bool
) -> "ir.BooleanValue":
    import ibis

    moment, edge = table["timestamp"], ibis.literal(limit, type="timestamp")
    del related
    return moment.notnull() & (moment > edge if later else moment < edge)


def _phase_rule() -> Rule:
    return Rule(
        schema.NEEDS_METADATA,
        "error",
        ("experimentPhase", "contextMetadataId"),
        lambda t, _: t.experimentPhase.notnull() & t.contextMetadataId.isnull(),
        "an experiment phase without contextMetadataId",
    )


def _weekday_rule() -> Rule:
    return Rule(
        schema.DAY_MISMATCH,
        "warning",
        ("dayOfWeek", "timestamp"),
        _other_weekday,
        "dayOfWeek is not the timestamp's",
    )


def _other_weekday(table: "ir.Table", related: Tables) -> "ir.BooleanValue":
    del related
    moment: Any = table["timestamp"]
    # Ibis counts from Monday, the source from Sunday.
    weekday = (moment.day_of_week.index() + 1) % 7
    return table.dayOfWeek.notnull() & moment.notnull() & (table.dayOfWeek != weekday)


@cache
def current_rules_version() -> str:
    """The version of the rules: 12 hex digits, the same whatever the time."""
    import ibis

    types = {"INTEGER": "int32", "TIMESTAMP": "timestamp", "VARCHAR": "string"}
    table = ibis.table(
        {**{c.name: types[c.duckdb_type] for c in COLUMNS}, JSON_VALID: "boolean"}, name="events"
    )
    doubled = ibis.table({"id": "string"}, name=DOUBLED)
    return rules_version([(event_rules(_FIXED), table, {DOUBLED: doubled})])
