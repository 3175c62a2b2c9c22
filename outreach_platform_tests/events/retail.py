"""Lines of real invoices as behavioural events, and by pandas alone what is wrong with each.

The values stay what they are: a quarter has no customer, some lines stand twice, quantities are
negative or in the thousands, stock codes are no articles. Only ids are hashes, and categories cuts.
"""

import hashlib
import io
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import numpy as np
import pandas as pd
import psycopg2

from outreach_platform.events.schema import EVENT_TYPES, NAMES
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform_tests.support.real_data import real_data_folder

FILE = "events/online_retail_2010-12_2011-05.csv.gz"
TYPES = {
    **dict.fromkeys(NAMES, "text"),
    **dict.fromkeys(("dayOfWeek", "sessionPerformanceScore", "timeOfDay"), "integer"),
    "randomizationSeed": "integer",
    "eventData": "jsonb",
    "timestamp": "timestamp(3)",
}
# By month from December on; a customer whose number ends in 0 takes part.
_PHASES = ["baseline_1", "intervention_A_1", "intervention_A_1", "baseline_2"] + [
    "intervention_A_2"
] * 2


@dataclass(frozen=True)
class Source:
    """The database that holds the rows, and the same rows here, by time and id."""

    url: DatabaseUrl
    name: str
    events: pd.DataFrame
    broken: pd.DataFrame

    @property
    def good(self) -> pd.DataFrame:
        """The events that break no rule."""
        return rows_where(self.events, ~self.broken.any(axis=1))

    @property
    def bad(self) -> pd.DataFrame:
        """The others."""
        return rows_where(self.events, self.broken.any(axis=1))


def read_lines() -> pd.DataFrame:
    """The file as text, untouched."""
    folder = real_data_folder()
    assert folder is not None
    return pd.read_csv(folder / FILE, dtype=str, keep_default_na=False)


def cuid(text: str) -> str:
    """An id of the form of a CUID that depends on the text alone."""
    return "c" + hashlib.sha256(text.encode()).hexdigest()[:24]


def to_events(lines: pd.DataFrame) -> pd.DataFrame:
    """The fifteen columns; a missing value is None or NaN.

    A line that stands twice gets one id, a cancellation its customer's number as it is written,
    a line that is no article its stock code for a type, a quantity becomes the score. Invoices
    from abroad have no context, and Irish days are counted from Monday.
    """
    moment = pd.to_datetime(lines["InvoiceDate"])
    quantity = lines["Quantity"].astype(int)
    price = lines["UnitPrice"].astype(float)
    article = lines["StockCode"].str.match(r"\d{5}")
    cancelled = lines["InvoiceNo"].str.startswith("C")
    customer = lines["CustomerID"].where(cancelled, lines["CustomerID"].map(cuid))
    month = (moment.dt.month - 12) % 12
    phase = pd.Series(np.array(_PHASES, dtype=object)[month], lines.index)
    takes_part = lines["CustomerID"].str.endswith("0.0")
    irish, at_home = (lines["Country"] == name for name in ("EIRE", "United Kingdom"))
    kind = pd.Series(np.where(cancelled, "RECOMMENDATION_DISMISSED", "SESSION_ENDED"), lines.index)
    levels = np.array(["LOW", "MEDIUM", "HIGH", "WHOLESALE"], dtype=object)
    engagement = levels[np.digitize(quantity, [4, 25, 1001])]
    qualities = np.array(["RUSHED", "NORMAL", "THOROUGH"], dtype=object)
    quality = qualities[np.digitize(price, [1.25, 5])]
    events = pd.DataFrame(
        {
            "id": ["|".join(line) for line in lines.to_numpy()],
            "userId": customer.mask(lines["CustomerID"] == "", None),
            "eventType": kind.where(article, lines["StockCode"]),
            "eventData": [
                json.dumps({"item": item, "quantity": int(n), "price": p}, ensure_ascii=False)
                for item, n, p in zip(lines["Description"], quantity, price, strict=True)
            ],
            "timestamp": moment.astype("datetime64[us]"),
            "completionQuality": pd.Series(quality, lines.index).mask(price == 0, None),
            "contentType": lines["Description"].mask(lines["Description"] == "", None),
            "difficultyLevel": lines["Country"],
            "dayOfWeek": (moment.dt.day_of_week + 1) % 7,
            "engagementLevel": engagement,
            "sessionPerformanceScore": quantity,
            "timeOfDay": moment.dt.hour,
            "experimentPhase": phase.where(takes_part, None),
            "randomizationSeed": pd.Series([None] * len(lines), dtype=object),
            "contextMetadataId": lines["InvoiceNo"].map(cuid).where(at_home, None),
        }
    )
    events["id"] = events["id"].map(cuid)
    events["dayOfWeek"] = events["dayOfWeek"].where(~irish, moment.dt.day_of_week)
    return events


def violations(events: pd.DataFrame, now: datetime) -> pd.DataFrame:
    """Whether an event breaks a rule: a column of booleans a code, only codes that happen."""
    pattern = r"c[a-z0-9]{24}"
    score = events["sessionPerformanceScore"]
    latest = pd.Timestamp(now).tz_convert(None) + pd.Timedelta(minutes=5)
    found = pd.DataFrame(
        {
            "id_not_unique": events["id"].duplicated(keep=False),
            "user_id_missing": events["userId"].isna(),
            "user_id_invalid": events["userId"].notna()
            & ~events["userId"].fillna("").astype(str).str.fullmatch(pattern),
            "event_type_unknown": ~events["eventType"].isin(EVENT_TYPES),
            "timestamp_not_future": events["timestamp"] > latest,
            "engagement_level_unknown": events["engagementLevel"] == "WHOLESALE",
            "session_performance_score_out_of_range": (score < 0) | (score > 100),
            "experiment_phase_requires_metadata": events["experimentPhase"].notna()
            & events["contextMetadataId"].isna(),
        }
    )
    return found.filter(items=[code for code, rows in counts(found).items() if rows])


def rows_where(frame: pd.DataFrame, condition: Any) -> pd.DataFrame:
    """The rows where a series of booleans is true."""
    return cast(pd.DataFrame, frame[condition])


def days_of(events: pd.DataFrame) -> pd.Series:
    """The ISO date of each event."""
    return events["timestamp"].dt.strftime("%Y-%m-%d")


def by_day(events: pd.DataFrame) -> dict[str, int]:
    """Events by ISO date."""
    return days_of(events).value_counts().to_dict()


def counts(broken: pd.DataFrame) -> dict[str, int]:
    """Rows by code."""
    return {str(code): int(n) for code, n in broken.sum().to_dict().items()}


def create_table(url: DatabaseUrl) -> None:
    """A table `behavioral_events` that holds anything."""
    columns = ", ".join(f'"{name}" {TYPES[name]}' for name in NAMES)
    _write(url, f"CREATE TABLE public.behavioral_events ({columns})")


def copy_in(url: DatabaseUrl, events: pd.DataFrame) -> None:
    """Append events to the table, in one transaction."""
    buffer = io.StringIO()
    events.to_csv(buffer, index=False, header=False, na_rep="")
    buffer.seek(0)
    _write(url, "COPY public.behavioral_events FROM STDIN (FORMAT csv, NULL '')", buffer)


def _write(url: DatabaseUrl, statement: str, data: io.StringIO | None = None) -> None:
    connection = psycopg2.connect(url.conninfo)
    try:
        with connection, connection.cursor() as cursor:
            if data is None:
                cursor.execute(statement)
            else:
                cursor.copy_expert(statement, data)
    finally:
        connection.close()
