"""The events job by night, the pull by the hour, and both in the queue."""

from datetime import UTC, datetime

import dagster as dg
import pytest

from outreach_platform.definitions import defs
from outreach_platform.operations.jobs import (
    NIGHTLY_DAYS,
    WING_TAG,
    enrichment_config,
    enrichment_pull_job,
    events_config,
    events_job,
    hourly_enrichment_pull,
    nightly_events,
    promotion_job,
    weekly_maintenance,
    weekly_verify,
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


NEON, SUPABASE = "NEON_DATABASE_URL", "SUPABASE_DATABASE_URL"
URL = "postgresql://somebody@127.0.0.1:1/records"


def pull_tick(moment: datetime) -> dg.RunRequest | dg.SkipReason:
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_schedule_context(instance, scheduled_execution_time=moment)
        answer = hourly_enrichment_pull(context)
    assert isinstance(answer, dg.RunRequest | dg.SkipReason)
    return answer


@pytest.mark.parametrize("configured", [(), (NEON, SUPABASE)])
def test_each_hour_asks_once_for_a_pull(
    configured: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (NEON, SUPABASE):
        monkeypatch.delenv(name, raising=False)
    for name in configured:
        monkeypatch.setenv(name, URL)
    asked = [pull_tick(datetime(2028, 2, 29, hour, tzinfo=UTC)) for hour in (5, 5, 6)]
    keys = [request.run_key for request in asked if isinstance(request, dg.RunRequest)]
    assert keys == ["2028-02-29T05:00+00:00"] * 2 + ["2028-02-29T06:00+00:00"]


@pytest.mark.parametrize("given", [NEON, SUPABASE])
def test_a_pull_between_a_service_and_a_stand_in_is_skipped(
    given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (NEON, SUPABASE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(given, URL)
    answer = pull_tick(datetime(2028, 2, 29, 5, tzinfo=UTC))
    assert isinstance(answer, dg.SkipReason)
    assert answer.skip_message
    assert f"{given} is set and " in answer.skip_message


def test_the_pull_is_on_and_counts_in_utc() -> None:
    schedule = hourly_enrichment_pull
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 * * * *", "UTC")
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    assert schedule.job_name == "enrichment_pull_job"


@pytest.mark.parametrize(
    ("job", "assets"),
    [
        (
            "enrichment_pull_job",
            ("quarantine", "company_needs_enrichment", "people_needs_enrichment"),
        ),
        ("promotion_job", ("pushed_to_neon", "revalidation", "promotions")),
    ],
)
def test_the_enrichment_jobs_take_their_config(job: str, assets: tuple[str, ...]) -> None:
    """Every asset has the options that it knows, and no other."""
    config = enrichment_config(assets, batch_size=7, entities=["people"], ids_file="ids.txt")
    assert dg.validate_run_config(defs.resolve_job_def(job), config)
    chosen = {name.removeprefix("enrichment__"): c["config"] for name, c in config["ops"].items()}
    assert set(chosen) == set(assets)
    assert all(options["batch_size"] == 7 for options in chosen.values())
    tables = {"company_needs_enrichment", "people_needs_enrichment"}
    assert {name for name, options in chosen.items() if "entities" not in options} == (
        tables & set(assets)
    )
    assert {name for name, options in chosen.items() if "ids_file" in options} == (
        {"promotions"} & set(assets)
    )


def test_all_jobs_of_the_enrichment_wing_stand_in_one_queue() -> None:
    for job in (enrichment_pull_job, promotion_job):
        assert (job.tags or {})[WING_TAG] == "enrichment"
    for name in (
        *("enrichment_pull_job", "promotion_job", "enrichment_undo_job", "enrichment_import_job"),
    ):
        assert defs.resolve_job_def(name).run_tags[WING_TAG] == "enrichment"


@pytest.mark.parametrize(
    ("schedule", "job", "hour"),
    [(weekly_verify, "verify_job", 3), (weekly_maintenance, "maintenance_job", 4)],
)
def test_what_is_weekly_asks_once_a_sunday_by_utc(
    schedule: dg.ScheduleDefinition, job: str, hour: int
) -> None:
    """Verified before the database is cleaned at four and old versions go at five."""
    assert (schedule.cron_schedule, schedule.execution_timezone) == (f"0 {hour} * * 0", "UTC")
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    assert schedule.job_name == job
    sunday = datetime(2026, 11, 29, hour, tzinfo=UTC)
    with dg.DagsterInstance.ephemeral() as instance:
        answer = schedule(dg.build_schedule_context(instance, scheduled_execution_time=sunday))
    assert isinstance(answer, dg.RunRequest)
    assert answer.run_key == "2026-11-29"
    assert dg.validate_run_config(defs.resolve_job_def(job), answer.run_config or None) is not None
