"""`outreach report`: the same job as the schedule's, on a real instance."""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from outreach_platform.operations.jobs import daily_report
from outreach_platform.operations.report_assets import KEY
from outreach_platform_tests.support.product import Inside, Product
from outreach_platform_tests.support.report_history import counts, publish_records


@pytest.mark.slow
def test_the_page_is_written_and_its_run_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    product = Product(tmp_path)
    publish_records(product.data, counts(4321, 5))
    inside = Inside(product, capsys)
    done = inside("report")
    path = product.data / "reports" / "report.html"
    assert (done.code, done.out) == (0, f"{path}\n")
    assert "4,321" in path.read_text(encoding="utf-8")
    elsewhere = tmp_path / "other folder" / "page.html"
    told = inside("report", "--to", str(elsewhere), "--json")
    assert (told.code, told.row["status"], told.row["report"]) == (0, "written", str(elsewhere))
    assert told.row["size"] == elsewhere.stat().st_size
    with product.here() as instance:
        run = instance.get_run_by_id(told.row["run_id"])
        assert run is not None and (run.job_name, run.is_success) == ("report_job", True)
        event = instance.get_latest_materialization_event(KEY)
        assert event is not None and event.asset_materialization is not None
        assert event.asset_materialization.metadata["path"].value == str(elsewhere)


@pytest.mark.slow
def test_a_folder_is_no_place_for_the_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inside = Inside(Product(tmp_path), capsys)
    done = inside("report", "--to", str(tmp_path))
    assert done.code == 2
    assert "is a folder" in done.err
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    done = inside("report", "--to", str(tmp_path / "file" / "page.html"))
    assert done.code == 2
    assert "is a file, no folder" in done.err
    assert (tmp_path / "file").read_text(encoding="utf-8") == "mine"


def test_the_schedule_is_on_and_asks_once_a_day() -> None:
    assert (daily_report.cron_schedule, daily_report.execution_timezone) == ("0 6 * * *", "UTC")
    assert daily_report.default_status is dg.DefaultScheduleStatus.RUNNING
    assert daily_report.job_name == "report_job"
    with dg.DagsterInstance.ephemeral() as instance:
        moment = datetime(2026, 3, 2, 6, tzinfo=UTC)
        context = dg.build_schedule_context(instance, scheduled_execution_time=moment)
        asked = daily_report(context)
    assert isinstance(asked, dg.RunRequest)
    assert asked.run_key == "2026-03-02"
