"""One day of the platform on its embedded default, the clock moved from tick to tick.

Each schedule and sensor is asked at its own time of day, as the daemon asks it, and what it asks
for is run; nothing is called that the daemon or a person at a terminal would not call.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from outreach_platform.definitions import defs
from outreach_platform.embedded.sample import DIRTY_STATE, load_sample, stand_in
from outreach_platform.embedded.server import EmbeddedServer, ensure_running
from outreach_platform.records.states import STATES
from outreach_platform.resources import embedded_folder
from outreach_platform_tests.support.product import Inside, Product, today
from outreach_platform_tests.support.webhooks import listening, says


class Day:
    """The daemon's part, by hand.

    Attributes:
        instance: where runs are recorded.
        heard: what the webhook got, each message once.
    """

    def __init__(self, instance: dg.DagsterInstance, heard: list[dict[str, Any]]) -> None:
        self.instance, self._heard, self._read = instance, heard, 0

    def asked(self, hour: int, schedule: str, minute: int = 0) -> list[dg.RunRequest]:
        """The tick of a schedule: what it asks for."""
        found = defs.resolve_schedule_def(schedule)
        moment = datetime.combine(today(), time(hour, minute), UTC)
        with dg.build_schedule_context(
            self.instance,
            scheduled_execution_time=moment,
            repository_def=defs.get_repository_def(),
        ) as context:
            return list(found.evaluate_tick(context).run_requests or [])

    def at(self, hour: int, schedule: str, minute: int = 0) -> list[dg.ExecuteInProcessResult]:
        """The tick of a schedule, and the runs that it asks for."""
        job = defs.resolve_schedule_def(schedule).job_name
        return [self.run(request, job) for request in self.asked(hour, schedule, minute)]

    def sensor(self, name: str, job: str = "") -> list[dg.ExecuteInProcessResult]:
        """The tick of a sensor, and the runs that it asks for."""
        found = defs.resolve_sensor_def(name)
        resources: Mapping[str, Any] = defs.resources or {}
        needed = {key: resources[key] for key in found.required_resource_keys}
        with dg.build_sensor_context(self.instance, resources=needed) as context:
            asked = found.evaluate_tick(context).run_requests or []
        marked = {"dagster/sensor_name": name}
        return [self.run(request, job, marked) for request in asked]

    def run(
        self, request: dg.RunRequest, job: str, tags: Mapping[str, str] | None = None
    ) -> dg.ExecuteInProcessResult:
        """Run what was asked for, as the daemon would tag it."""
        return defs.resolve_job_def(request.job_name or job).execute_in_process(
            instance=self.instance,
            partition_key=request.partition_key,
            run_config={
                "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
                **(request.run_config or {}),
            },
            tags={"dagster/run_key": str(request.run_key), **request.tags, **(tags or {})},
            raise_on_error=False,
        )

    def told(self) -> set[tuple[str, str, str]]:
        """What the alerts say of what is new: event, kind and subject."""
        self.sensor("run_failure_alert")
        bodies = [json.loads(request["body"]) for request in self._heard[self._read :]]
        self._read = len(self._heard)
        return {(body["event"], body["kind"], body["subject"]) for body in bodies}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    """The embedded databases with the sample's rows."""
    server = ensure_running(embedded_folder(tmp_path / "data"), durable=False)
    load_sample(server.url("neon"), server.url("supabase"), server.url("events"))
    yield server
    server.release()


@pytest.mark.slow
def test_a_day(server: EmbeddedServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A kill switch trips, is told and clears; completed rows are promoted; the page shows it."""
    with listening(says(200)) as (url, heard):
        product = Product(tmp_path, {"ALERT_WEBHOOK_URL": url, "NO_PROXY": "127.0.0.1"})
        outreach = Inside(product, capsys)
        with product.here() as instance:
            day = Day(instance, heard)
            assert day.told() == set()

            nightly = {r.tags["outreach/state"]: r for r in day.asked(2, "daily_snapshots")}
            assert list(nightly) == list(STATES)
            for state in ("WV", DIRTY_STATE):
                ended = day.run(nightly[state], "snapshot_job")
                assert ended.success == (state != DIRTY_STATE)
            assert all(run.success for run in day.at(2, "nightly_events"))
            assert ("opened", "kill_switch", DIRTY_STATE) in day.told()
            assert day.told() == set(), "once"

            assert all(run.success for run in day.at(3, "hourly_enrichment_pull"))
            assert day.sensor("enrichment_complete", "promotion_job") == []
            stand_in(server.url("supabase"))
            (promotion,) = day.sensor("enrichment_complete", "promotion_job")
            assert promotion.success
            assert day.sensor("enrichment_complete", "promotion_job") == [], "once"

            assert all(run.success for run in day.at(3, "hourly_monitoring", 45))
            assert all(run.success for run in day.at(6, "daily_report"))
            page = (product.data / "reports" / "report.html").read_text(encoding="utf-8")
            assert "K1 TRIGGERED" in page

        looked = outreach("status", "--json")
        assert looked.code == 1
        assert looked.rows[0]["severity"] == "error"
        passed = outreach(
            *("snapshot", "--state", DIRTY_STATE, "--override", "K1", "--json"),
            *("--reason", "list bought, cleaning under way", "--by", "Ann Lee"),
            *("--until", today().isoformat()),
        )
        assert (passed.code, passed.row["status"]) == (0, "published")

        with product.here() as instance:
            day.instance = instance
            assert ("cleared", "kill_switch", DIRTY_STATE) in day.told()
            assert day.told() == set()
            assert all(run.success for run in day.at(6, "daily_report"))
        page = (product.data / "reports" / "report.html").read_text(encoding="utf-8")
        assert "K1 TRIGGERED" not in page
        assert "list bought, cleaning under way" in page
        assert "Ann Lee" not in page
