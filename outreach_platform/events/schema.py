"""What a behavioural event is: fifteen columns, their types, and the contract stated with Pandera.

Source: FACTS section 3, as Prisma migrates the table. The contract is what we promise to readers of
our files; `rules.py` says the same as one pass over the data, and a test holds the two together.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd
    from pandera.pandas import DataFrameSchema

Kind = Literal["text", "json", "integer", "timestamp"]

CUID = r"^c[a-z0-9]{24}$"
SKEW = timedelta(minutes=5)
OLDEST_YEARS = 5
_INT32 = (-(2**31), 2**31 - 1)

EVENT_TYPES = (
    *("MISSION_STARTED", "MISSION_COMPLETED", "CARD_REVIEWED", "VALIDATION_COMPLETED"),
    *("SESSION_STARTED", "SESSION_ENDED", "LECTURE_UPLOADED", "SEARCH_PERFORMED", "GRAPH_VIEWED"),
    *("RECOMMENDATION_VIEWED", "RECOMMENDATION_CLICKED", "RECOMMENDATION_DISMISSED"),
    "RECOMMENDATION_RATED",
)
QUALITIES = ("RUSHED", "NORMAL", "THOROUGH")
ENGAGEMENTS = ("LOW", "MEDIUM", "HIGH")
BASELINES = ("baseline_1", "baseline_2")
INTERVENTIONS = ("intervention_A_1", "intervention_A_2")
PHASES = ("baseline_1", "intervention_A_1", "baseline_2", "intervention_A_2")


@dataclass(frozen=True)
class EventColumn:
    """One column of an event.

    Attributes:
        name: as the source and our files spell it.
        kind: what it holds; decides which source types are read and what Parquet gets.
        required: never null, and never missing in the source. A column that is not required and
            missing becomes nulls.
        pattern: regular expression that values match.
        allowed: the only values.
        bounds: lowest and highest value.
    """

    name: str
    kind: Kind = "text"
    required: bool = False
    pattern: str | None = None
    allowed: tuple[str, ...] | None = None
    bounds: tuple[int, int] | None = None

    @property
    def code(self) -> str:
        """The column's name as rule codes write it: `userId` is `user_id`."""
        return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in self.name)

    @property
    def duckdb_type(self) -> str:
        """The column's type in DuckDB and, through it, in Parquet."""
        return {"integer": "INTEGER", "timestamp": "TIMESTAMP"}.get(self.kind, "VARCHAR")


COLUMNS = (
    EventColumn("id", required=True, pattern=CUID),
    EventColumn("userId", required=True, pattern=CUID),
    EventColumn("eventType", required=True, allowed=EVENT_TYPES),
    EventColumn("eventData", "json", required=True),
    EventColumn("timestamp", "timestamp", required=True),
    EventColumn("completionQuality", allowed=QUALITIES),
    EventColumn("contentType"),
    EventColumn("difficultyLevel"),
    EventColumn("dayOfWeek", "integer", bounds=(0, 6)),
    EventColumn("engagementLevel", allowed=ENGAGEMENTS),
    EventColumn("sessionPerformanceScore", "integer", bounds=(0, 100)),
    EventColumn("timeOfDay", "integer", bounds=(0, 23)),
    EventColumn("experimentPhase", allowed=PHASES),
    EventColumn("randomizationSeed", "integer"),
    EventColumn("contextMetadataId"),
)
NAMES = tuple(column.name for column in COLUMNS)

# Codes of rules that look at more than one value, or at the clock.
ID_NOT_UNIQUE = "id_not_unique"
NOT_FUTURE = "timestamp_not_future"
REASONABLE = "timestamp_reasonable"
NEEDS_METADATA = "experiment_phase_requires_metadata"
JSON_INVALID = "event_data_invalid"
DAY_MISMATCH = "day_of_week_mismatch"


def latest_time(now: datetime) -> datetime:
    """The latest time (naive UTC) that is not the future: `now` (aware) plus a small skew."""
    return _naive(now) + SKEW


def earliest_time(now: datetime) -> datetime:
    """The earliest reasonable time (naive UTC): five years before `now` (aware)."""
    moment = _naive(now)
    try:
        return moment.replace(year=moment.year - OLDEST_YEARS)
    except ValueError:  # the 29th of February
        return moment.replace(year=moment.year - OLDEST_YEARS, day=28)


def _naive(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(tzinfo=None)


def contract(now: datetime) -> "DataFrameSchema":
    """The contract as a Pandera schema for pandas.

    Every check is named by its rule code. A null where none may be, and an id that stands twice,
    are reported by Pandera under names of its own: `contract_violations` gives them our codes.

    Args:
        now: aware; the two rules about time are relative to it.
    """
    import pandera.pandas as pa

    columns = {column.name: _pandera_column(column, now) for column in COLUMNS}
    needs_metadata = pa.Check(
        lambda frame: frame["experimentPhase"].isna() | frame["contextMetadataId"].notna(),
        **_named(NEEDS_METADATA),
        ignore_na=False,
    )
    return pa.DataFrameSchema(
        columns, checks=[needs_metadata], strict=True, ordered=True, name="behavioral_events"
    )


def _pandera_column(column: EventColumn, now: datetime):
    import pandas as pd
    import pandera.pandas as pa

    checks = []
    if column.pattern:
        code = f"{column.code}_invalid"
        checks.append(pa.Check.str_matches(column.pattern + r"\Z", **_named(code)))
    if column.allowed:
        checks.append(pa.Check.isin(column.allowed, **_named(f"{column.code}_unknown")))
    if column.kind == "integer":
        code = f"{column.code}_out_of_range"
        checks.append(pa.Check.in_range(*(column.bounds or _INT32), **_named(code)))
    if column.kind == "json":
        checks.append(pa.Check(_is_json, element_wise=True, **_named(JSON_INVALID)))
    if column.kind == "timestamp":
        checks += [
            pa.Check.le(pd.Timestamp(latest_time(now)), **_named(NOT_FUTURE)),
            pa.Check.ge(pd.Timestamp(earliest_time(now)), **_named(REASONABLE)),
        ]
    # Made Int32, a number of more bits would become another one; our files have 32 by their type.
    types = {"integer": "Int64", "timestamp": "datetime64[us]"}
    return pa.Column(
        types.get(column.kind, "str"),
        checks=checks,
        nullable=not column.required,
        unique=column.name == "id",
        coerce=column.kind == "integer",
    )


def _named(code: str) -> dict[str, Any]:
    """A check's name, and what it says: Pandera reports the latter where its own checks fail."""
    return {"name": code, "error": code}


def json_valid_sql(column: str) -> str:
    """DuckDB's condition for a text column (quoted) that holds JSON as RFC 8259 has it.

    DuckDB's own json_valid takes NaN, infinities and a comma before a closing bracket as well.
    """
    outside = rf"""regexp_replace({column}, '"([^"\\]|\\.)*"', '""', 'g')"""
    return (
        f"(json_valid({column}) AND NOT regexp_matches({outside}, "
        r"""',\s*[\]}]|[nN][aA][nN]|[iI][nN][fF]'))"""
    )


def _is_json(text: str) -> bool:
    import json

    try:
        # Numbers stay text: Python refuses to read those of many digits.
        found = json.loads(
            text,
            parse_int=str,
            parse_float=str,
            parse_constant=_no_number,
            object_pairs_hook=list,  # of a key that stands twice, both values are looked at
        )
        json.dumps(found, ensure_ascii=False).encode()  # half of a surrogate pair is no character
    except RecursionError:
        return _is_deep_json(text)
    except ValueError:
        return False
    return True


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no JSON")


def _is_deep_json(text: str) -> bool:
    """What is nested deeper than Python's parser goes."""
    from outreach_platform.foundation.warehouse import file_reader

    with file_reader() as engine:
        found = engine.execute(f"SELECT {json_valid_sql('t')} FROM (SELECT $1 AS t)", [text])
        return bool((found.fetchone() or (False,))[0])


def contract_violations(frame: "pd.DataFrame", now: datetime) -> "pd.DataFrame":
    """All violations of the contract, one row each, with columns `row` (index label) and `code`.

    Args:
        frame: events with the columns and types of the contract, a unique index.
        now: aware.

    Raises:
        pandera.errors.SchemaErrors: columns or types differ; that is no matter of single rows.
    """
    import pandas as pd
    from pandera.errors import SchemaErrors

    try:
        contract(now).validate(frame, lazy=True)
    except SchemaErrors as errors:
        cases = errors.failure_cases
        if cases["index"].isna().any():
            raise
        found = pd.DataFrame(
            {
                "row": cases["index"],
                "code": [
                    _our_code(str(check), str(column))
                    for check, column in zip(cases["check"], cases["column"], strict=True)
                ],
            }
        )
        return found.drop_duplicates(ignore_index=True)
    return pd.DataFrame({"row": [], "code": []})


def _our_code(check: str, column: str) -> str:
    by_name = {c.name: c for c in COLUMNS}
    if check == "not_nullable":
        return f"{by_name[column].code}_missing"
    if check == "field_uniqueness":
        return ID_NOT_UNIQUE
    return check
