"""What the checks say of records, and that a run obeys them."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from outreach_platform.events import checks
from outreach_platform.events.layout import EventFolder
from outreach_platform.events.records import (
    ExportedDay,
    ExportManifest,
    Extraction,
    SyncRecord,
    Window,
)
from outreach_platform.events.rules import event_rules
from outreach_platform.events.schema import NAMES
from outreach_platform.foundation.lake import FileRecord, read_record
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform_tests.support.event_rows import create_source, event, insert_events
from outreach_platform_tests.support.postgres import execute
from outreach_platform_tests.support.product import (
    Product,
    failures,
    materialized,
    run_events,
    today,
    url_text,
)

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
WINDOW = Window(start=date(2026, 3, 9), end=date(2026, 3, 10))
ERROR, WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN
CODES = [rule.code for rule in event_rules(NOW).rules if rule.severity == "error"]


def extracted(**over: Any) -> Extraction:
    return Extraction(
        **{
            "run_id": "r",
            "finished_at": NOW,
            "window": WINDOW,
            "validation": "strict",
            "source": "embedded",
            "pulled": {"2026-03-10": "recent"},
            "kept": 1,
            **over,
        }
    )


def exported(**over: Any) -> ExportManifest:
    day = ExportedDay(sha256="0", rows=6, quarantined=0, source_rows=6)
    plain = {
        "stamp": "20260310_120000",
        "window": WINDOW,
        "user_id": None,
        "validation": "strict",
        "file": FileRecord(path="raw/x.parquet", rows=6, size=1, sha256="0"),
        "rules_version": "1",
        "source": "embedded",
        "days": {"2026-03-09": day},
        "users": 9,
        "event_types": 2,
        "first": None,
        "last": None,
        "null_phases": 0.0,
        "null_rates": dict.fromkeys(NAMES, 0.0),
        "previous": None,
        "row_delta": None,
        "compression": "snappy",
        "seconds": 0.1,
        "created_at": NOW,
        "run_id": "r",
        "code_version": "1",
    }
    return ExportManifest.model_validate({**plain, **over})


def by_name(results: Any) -> dict[str, dg.AssetCheckResult]:
    listed = list(results)
    named = {result.check_name: result for result in listed}
    assert len(named) == len(listed), "a check is evaluated once"
    return named


def named(specs: list[dg.AssetCheckSpec]) -> set[str]:
    return {spec.name for spec in specs}


def failing(results: dict[str, dg.AssetCheckResult]) -> dict[str, dg.AssetCheckSeverity]:
    return {name: result.severity for name, result in results.items() if not result.passed}


def test_each_spec_gets_its_result() -> None:
    synced = SyncRecord(
        stamp=None,
        form=None,
        database="/x",
        problem=None,
        slowest_ms=None,
        synced_at=NOW,
        run_id="r",
    )
    for specs, results in (
        (checks.EVENT_CHECKS, checks.extraction_results(extracted())),
        (checks.EXPORT_CHECKS, checks.export_results(exported(), ())),
        (checks.RESEARCH_CHECKS, checks.sync_results(synced)),
    ):
        found = by_name(results)
        assert set(found) == named(specs)
        assert failing(found) == {}


@pytest.mark.parametrize("code", CODES)
def test_each_violation_fails_one_check(code: str) -> None:
    extraction = extracted(errors={code: 1234}, report="quarantine/report.csv")
    found = by_name(checks.extraction_results(extraction))
    ((name, severity),) = failing(found).items()
    assert severity is ERROR
    assert found[name].description == f"{code}: 1,234 rows"
    metadata = found[name].metadata or {}
    assert metadata["violations"] == dg.MetadataValue.int(1234)
    assert metadata["report"] == dg.MetadataValue.path("quarantine/report.csv")
    clean = next(result for result in found.values() if result.passed)
    assert set(clean.metadata or {}) == {"violations", "days_judged"}
    own = {"timestamp_not_future", "timestamp_reasonable", "experiment_phase_requires_metadata"}
    expected = code if code in own else "schema_contract"
    assert name == ("unique_ids" if code == "id_not_unique" else expected)


def test_there_are_violations_to_tell() -> None:
    assert len(CODES) > 15


def test_outside_strict_mode_violations_warn() -> None:
    found = extracted(errors={"user_id_invalid": 1, "id_not_unique": 2}, validation="non_strict")
    assert failing(by_name(checks.extraction_results(found))) == {
        "schema_contract": WARN,
        "unique_ids": WARN,
    }


def test_a_wrong_weekday_only_warns() -> None:
    found = by_name(checks.extraction_results(extracted(warnings={"day_of_week_mismatch": 3})))
    assert failing(found) == {"day_of_week_matches": WARN}


def test_what_was_not_judged_did_not_pass() -> None:
    found = by_name(checks.extraction_results(extracted(validation="none")))
    assert failing(found) == dict.fromkeys(named(checks.EVENT_CHECKS), WARN)
    assert {result.description for result in found.values()} == {"not validated"}


def test_a_lost_row_fails_the_export() -> None:
    days = {
        "2026-03-09": ExportedDay(sha256="0", rows=5, quarantined=1, source_rows=6),
        "2026-03-10": ExportedDay(sha256="0", rows=5, quarantined=0, source_rows=6),
    }
    found = by_name(checks.export_results(exported(days=days), ()))
    assert failing(found) == {"counts_equal_source": ERROR}
    assert found["counts_equal_source"].description == "differs on 2026-03-10"


@pytest.mark.parametrize(
    ("delta", "passes"), [(None, True), (0.5, True), (-0.5, True), (0.51, False), (-0.51, False)]
)
def test_a_jump_of_rows_warns(delta: float | None, passes: bool) -> None:
    manifest = exported(row_delta=delta, previous="20260309_120000" if delta else None)
    found = by_name(checks.export_results(manifest, ()))["row_delta"]
    assert (found.passed, found.severity) == (passes, WARN)
    said = "nothing to compare with" if delta is None else f"{delta:+.1%} to 20260309_120000"
    assert found.description == said


def test_nulls_warn_where_values_are_expected() -> None:
    rates = {**dict.fromkeys(NAMES, 0.0), "dayOfWeek": 0.11, "timeOfDay": 0.1, "contentType": 1.0}
    found = by_name(checks.export_results(exported(null_rates=rates), ("dayOfWeek", "timeOfDay")))
    assert failing(found) == {"null_rate": WARN}
    assert found["null_rate"].description == "dayOfWeek 11.0%"


@pytest.mark.slow
def test_a_run_obeys_its_checks(neon_url: DatabaseUrl, tmp_path: Path) -> None:
    """Strict: the failed check is recorded, nothing follows. Otherwise it warns and all follows."""
    create_source(neon_url)
    now = datetime.now(UTC).replace(tzinfo=None)
    bad = event(timestamp=now, sessionPerformanceScore=300)
    good = [event(timestamp=now, completionQuality=None) for _ in range(4)]
    insert_events(neon_url, [*good, bad])
    product = Product(tmp_path, {"DATABASE_URL": url_text(neon_url)})
    folder = EventFolder(product.data)
    names = ["behavioral_events", "behavioral_events_export", "research_behavioral_events"]

    def run(mode: str) -> dg.ExecuteInProcessResult:
        return run_events(
            instance,
            names,
            config={
                "behavioral_events": {"days": 2, "validation": mode},
                "behavioral_events_export": {"days": 2},
            },
        )

    def said(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckSeverity]:
        found = result.get_asset_check_evaluations()
        return {e.check_name: e.severity for e in found if not e.passed}

    with product.here() as instance:
        strict = run("strict")
        assert not strict.success
        assert materialized(strict) == set()
        assert said(strict) == {"schema_contract": ERROR}
        assert "session_performance_score_out_of_range 1" in failures(strict)
        assert folder.newest() is None
        key = dg.AssetCheckKey(checks.EVENTS, "schema_contract")
        (shown,) = instance.event_log_storage.get_asset_check_execution_history(key, limit=9)
        assert (shown.run_id, shown.status.value) == (strict.run_id, "FAILED")
        assert read_record(folder.extraction, Extraction).problem

        lenient = run("non_strict")
        assert lenient.success, failures(lenient)
        assert materialized(lenient) == set(names)
        assert said(lenient) == {"schema_contract": WARN, "null_rate": WARN}
        newest = folder.newest()
        assert newest
        assert (newest.file.rows, newest.quarantined) == (4, 1)

        execute(neon_url, 'DELETE FROM "BehavioralEvent" WHERE "sessionPerformanceScore" = 300')
        mended = run("strict")
        assert mended.success, failures(mended)
        assert said(mended) == {"null_rate": WARN}
        assert read_record(folder.extraction, Extraction).pulled[today().isoformat()] == "recent"
