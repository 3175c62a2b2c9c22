"""The partitions of the asset graph.

Outreach assets are partitioned by UTC day and state: a day is the day of the pull. `end_offset=1`
makes today a partition, which is the only day that can still be pulled.
"""

from collections.abc import Sequence
from datetime import date

import dagster as dg

from outreach_platform.records.states import STATES

FIRST_DAY = "2026-01-01"

daily = dg.DailyPartitionsDefinition(start_date=FIRST_DAY, end_offset=1, timezone="UTC")
# Events are kept from long before the platform was there.
event_days = dg.DailyPartitionsDefinition(start_date="2020-01-01", end_offset=1, timezone="UTC")
# EDGAR begins in 1993. The year that runs is a partition from its first day.
filing_year = dg.TimeWindowPartitionsDefinition(
    start="1993", fmt="%Y", cron_schedule="0 0 1 1 *", end_offset=1, timezone="UTC"
)
states = dg.StaticPartitionsDefinition(list(STATES))
date_and_state = dg.MultiPartitionsDefinition({"date": daily, "state": states})


def partition_key(day: date, state: str) -> dg.MultiPartitionKey:
    """The key of one day and state."""
    return dg.MultiPartitionKey({"date": day.isoformat(), "state": state})


def day_and_state(key: str) -> tuple[date, str]:
    """The day and the state of a key, as a run carries it (`date|state`)."""
    day, state = key.split("|")
    return date.fromisoformat(day), state


def filing_years(keys: Sequence[str]) -> list[int]:
    """The filing years of partition keys."""
    return [int(key) for key in keys]


def filing_year_range(first: str | None = None, last: str | None = None) -> dict[str, str]:
    """The tags of one run over a range of filing years, by default over all."""
    return {
        "dagster/asset_partition_range_start": first or filing_year.get_partition_keys()[0],
        "dagster/asset_partition_range_end": last or filing_year.get_partition_keys()[-1],
    }
