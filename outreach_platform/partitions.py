"""The partitions of the asset graph.

Outreach assets are partitioned by UTC day and state: a day is the day of the pull. `end_offset=1`
makes today a partition, which is the only day that can still be pulled.
"""

from datetime import date

import dagster as dg

from outreach_platform.records.states import STATES

FIRST_DAY = "2026-01-01"

daily = dg.DailyPartitionsDefinition(start_date=FIRST_DAY, end_offset=1, timezone="UTC")
# Events are kept from long before the platform was there.
event_days = dg.DailyPartitionsDefinition(start_date="2020-01-01", end_offset=1, timezone="UTC")
states = dg.StaticPartitionsDefinition(list(STATES))
date_and_state = dg.MultiPartitionsDefinition({"date": daily, "state": states})


def partition_key(day: date, state: str) -> dg.MultiPartitionKey:
    """The key of one day and state."""
    return dg.MultiPartitionKey({"date": day.isoformat(), "state": state})


def day_and_state(key: str) -> tuple[date, str]:
    """The day and the state of a key, as a run carries it (`date|state`)."""
    day, state = key.split("|")
    return date.fromisoformat(day), state
