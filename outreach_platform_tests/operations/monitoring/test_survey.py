"""All looks together: what fails hides nothing, and what was found slowly is remembered."""

from datetime import timedelta
from pathlib import Path

import pytest

from outreach_platform.commands.status_problems import problem_rows
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.operations.checks import HEALTH_CHECKS, health_results, problem_table
from outreach_platform.operations.monitoring import survey
from outreach_platform.operations.monitoring.looks import CHECKS, LIVE, Look, Surroundings
from outreach_platform.operations.monitoring.record import record_path
from outreach_platform.operations.monitoring.workspace import funnel_problems, unpushed_rows
from outreach_platform.operations.problems import Problem, Severity
from outreach_platform.snapshots.layout import StateFolder
from outreach_platform_tests.commands.test_status_command import kept
from outreach_platform_tests.operations.monitoring.known import NOW, publish_state
from outreach_platform_tests.support.postgres import execute
from outreach_platform_tests.support.snapshot_runs import settings_for


def test_a_look_that_fails_is_a_problem_and_hides_no_other(tmp_path: Path) -> None:
    def broken(_: Surroundings) -> list[Problem]:
        raise ValueError("ann@example.com")

    fine = Problem("some_kind", "WV", "is wrong", "look")
    looks = (
        Look("one", "a", broken, ("first", "second")),
        Look("two", "a", lambda _: [fine], ("some_kind",)),
    )
    failed, other = survey.look_at(looks, Surroundings(settings_for(tmp_path)))["a"]
    assert (failed.kind, failed.subject, other) == ("look_failed", "one", fine)
    assert failed.hides == ("first", "second")
    assert "example.com" not in failed.message


def test_a_new_folder_has_no_problem_and_stays_empty(tmp_path: Path) -> None:
    assert problem_rows(settings_for(tmp_path / "new")) == []
    assert not (tmp_path / "new" / "dagster").exists()


def test_what_slow_looks_found_is_remembered_until_the_next(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    version = publish_state(tmp_path)
    key = StateFolder(tmp_path, "WV").manifest_key(version)
    (tmp_path / "objects" / "svg-enrichment" / key).unlink()
    found = survey.take_all(Surroundings(settings, now=NOW), "run-9")
    assert set(found) == set(CHECKS)
    assert [p.kind for p in found["stores"]] == ["objects_differ"]
    assert [p.kind for p in survey.recorded_problems(settings)] == ["objects_differ"]
    rows = {row["kind"]: row for row in problem_rows(settings)}
    assert rows["objects_differ"]["seen"].endswith(" ago")
    assert rows["state_stale"]["seen"] == "now"
    assert rows["monitoring_stale"]["severity"] == "warning", "the record is months old"
    severities = [row["severity"] for row in problem_rows(settings)]
    assert severities == sorted(severities), "errors come first"
    soon = Surroundings(settings, now=NOW + timedelta(hours=1))
    assert survey.look_at(LIVE[-1:], soon)["monitoring"] == []


def test_a_record_that_cannot_be_read_hides_what_it_said(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    publish_state(tmp_path)
    survey.take_all(Surroundings(settings, now=NOW), "run-9")
    looks, around = LIVE[-1:], Surroundings(settings, now=NOW + timedelta(days=1))
    (stale,) = survey.look_at(looks, around)["monitoring"]
    assert stale.hides == (), "an old record still says something"
    record_path(settings.data_dir).write_text("{")
    (unreadable,) = survey.look_at(looks, around)["monitoring"]
    assert "objects_differ" in unreadable.hides


def test_each_check_has_one_result_with_the_worst_severity() -> None:
    found: dict[str, list[Problem]] = {check: [] for check in CHECKS}
    found["stores"] = [Problem("disk_space", "a|b", "is\nfull", "make room")]
    found["quality"] = [Problem("null_rate", "x", "is null", "ask", Severity.WARNING)]
    results = {result.check_name: result for result in health_results(found)}
    assert list(results) == [spec.name for spec in HEALTH_CHECKS]
    assert not any(spec.blocking for spec in HEALTH_CHECKS)
    passed = {name for name, result in results.items() if result.passed}
    assert passed == set(CHECKS) - {"stores", "quality"}
    assert results["stores"].severity.value == "ERROR"
    assert results["quality"].severity.value == "WARN"
    assert "a\\|b | is full | make room |" in problem_table(found["stores"])


@pytest.mark.parametrize(
    ("count", "kind"),
    [("problems", "rows_hang"), ("chronic", "rows_chronic"), ("undefined", "status_undefined")],
)
def test_what_the_funnel_counted_is_a_warning(tmp_path: Path, count: str, kind: str) -> None:
    kept(tmp_path)
    assert funnel_problems(settings_for(tmp_path)) == []
    kept(tmp_path, **{count: 2})
    (found,) = funnel_problems(settings_for(tmp_path))
    assert (found.kind, found.subject, found.severity) == (kind, "company", Severity.WARNING)


def test_completed_rows_that_were_not_pushed_for_a_day(
    neon_url: DatabaseUrl, tmp_path: Path
) -> None:
    settings = settings_for(tmp_path)

    def unpushed() -> list[Problem]:
        return unpushed_rows(settings, lambda _: neon_url, NOW)

    execute(
        neon_url,
        "CREATE TABLE company_needs_enrichment (enrichment_status text, promoted_at timestamp, "
        "pushed_to_neon_at timestamp, updated_at timestamptz); "
        "INSERT INTO company_needs_enrichment VALUES "
        "('complete', NULL, '2026-03-08 13:00', '2026-03-08 12:00+00'), "
        "('complete', NULL, NULL, '2026-03-09 13:00+00'), "
        "('pending', NULL, NULL, '2026-03-01 12:00+00'), "
        "('complete', '2026-03-02', NULL, '2026-03-01 12:00+00')",
    )
    assert unpushed() == [], "the wing was never used"
    kept(tmp_path)
    assert unpushed() == []
    execute(
        neon_url,
        "INSERT INTO company_needs_enrichment VALUES "
        "('complete', NULL, NULL, '2026-03-09 11:00+00'), "
        "('complete', NULL, '2026-03-08 11:00', '2026-03-08 12:00+00')",
    )
    (found,) = unpushed()
    assert (found.kind, found.subject) == ("rows_unpushed", "company")
    assert found.message.startswith("2 completed rows wait for more than 24 h")
