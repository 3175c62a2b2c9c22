"""The events job by night and in the queue."""

from datetime import UTC, datetime

import dagster as dg
import pytest

from outreach_platform.definitions import defs
from outreach_platform.operations.jobs import (
    NIGHTLY_DAYS,
    WING_TAG,
    events_config,
    events_job,
    nightly_events,
)


def tick(moment: datetime) -> dg.RunRequest:
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_schedule_context(instance, scheduled_execution_time=moment)
        answer = nightly_events(context)
    assert isinstance(answer, dg.RunRequest)
    return answer


def test_each_night_asks_once_for_a_year() -> None:
    asked = tick(datetime(2028, 2, 29, 2, tzinfo=UTC))
    assert asked.run_key == "2028-02-29"
    ops = asked.run_config["ops"]
    assert ops["events__behavioral_events"]["config"] == {
        "days": NIGHTLY_DAYS,
        "validation": "strict",
        "full": False,
    }
    assert ops["events__behavioral_events_export"]["config"] == {"days": NIGHTLY_DAYS}
    assert NIGHTLY_DAYS == 365
    again = tick(datetime(2028, 2, 29, 2, tzinfo=UTC))
    assert again.run_key == asked.run_key, "Dagster drops a key that it has seen"
    assert tick(datetime(2028, 3, 1, 2, tzinfo=UTC)).run_key != asked.run_key


def test_a_missed_night_is_made_up() -> None:
    """A window that ends today heals what was missed, so an old tick is as good as a new one."""
    asked = tick(datetime(2026, 1, 3, 2, tzinfo=UTC))
    assert asked.run_key == "2026-01-03"
    assert asked.partition_key is None


def test_the_schedule_is_on_and_counts_in_utc() -> None:
    schedule = nightly_events
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 2 * * *", "UTC")
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    assert schedule.job_name == "events_job"


@pytest.mark.parametrize(
    "config",
    [
        events_config(days=NIGHTLY_DAYS),
        events_config(days=1, validation="none", full=True, user_id="o'neil", form="table"),
    ],
)
def test_the_job_takes_its_config(config: dict) -> None:
    job = defs.resolve_job_def("events_job")
    assert dg.validate_run_config(job, config)
    with pytest.raises(dg.DagsterInvalidConfigError, match="dayz"):
        dg.validate_run_config(job, {"ops": {"events__behavioral_events": {"config": {"dayz": 1}}}})


def test_what_is_not_said_is_left_to_the_settings() -> None:
    config = events_config(days=7)["ops"]
    assert config["events__research_behavioral_events"]["config"] == {}
    assert "user_id" not in config["events__behavioral_events_export"]["config"]


def test_every_run_of_the_job_carries_the_tag_that_the_queue_limits() -> None:
    assert (events_job.tags or {})[WING_TAG] == "events"
    job = defs.resolve_job_def("events_job")
    assert job.run_tags[WING_TAG] == "events"
