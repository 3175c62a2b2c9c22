"""The rules as a set: public codes, their order, and a version that names what they do."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from outreach_platform.events import rules, schema
from outreach_platform.events.rules import current_rules_version, event_rules
from outreach_platform_tests.support.event_rows import NOW

CODES = [
    "id_missing", "id_invalid", "id_not_unique", "user_id_missing", "user_id_invalid",
    "event_type_missing", "event_type_unknown", "event_data_missing", "event_data_invalid",
    "timestamp_missing", "timestamp_not_future", "timestamp_reasonable",
    "completion_quality_unknown", "day_of_week_out_of_range", "engagement_level_unknown",
    "session_performance_score_out_of_range", "time_of_day_out_of_range",
    "experiment_phase_unknown", "experiment_phase_requires_metadata", "day_of_week_mismatch",
]  # fmt: skip


@pytest.fixture(autouse=True)
def fresh_version():
    current_rules_version.cache_clear()
    yield
    current_rules_version.cache_clear()


def test_codes_are_public_names() -> None:
    found = event_rules(NOW).rules
    assert [rule.code for rule in found] == CODES
    assert [rule.code for rule in found if rule.severity == "warning"] == ["day_of_week_mismatch"]
    columns = {name for rule in found for name in rule.columns}
    free = {"contentType", "difficultyLevel", "randomizationSeed"}
    assert columns == {*schema.NAMES, rules.JSON_VALID} - free
    assert all(rule.says for rule in found)


def test_the_version_is_the_same_whatever_the_time(monkeypatch) -> None:
    version = current_rules_version()
    assert len(version) == 12
    assert int(version, 16) >= 0
    seen = []
    plain = rules.event_rules
    monkeypatch.setattr(rules, "event_rules", lambda now: seen.append(now) or plain(now))
    current_rules_version.cache_clear()
    assert current_rules_version() == version
    assert seen == [datetime(2026, 1, 1, tzinfo=UTC)]


def test_the_version_follows_a_changed_rule(monkeypatch) -> None:
    version = current_rules_version()
    changed = [
        replace(c, bounds=(0, 99)) if c.name == "sessionPerformanceScore" else c
        for c in schema.COLUMNS
    ]
    monkeypatch.setattr(rules, "COLUMNS", tuple(changed))
    current_rules_version.cache_clear()
    assert current_rules_version() != version


@pytest.mark.parametrize("name", ["SKEW", "OLDEST_YEARS"])
def test_the_version_follows_the_limits_of_time(monkeypatch, name) -> None:
    version = current_rules_version()
    monkeypatch.setattr(schema, name, getattr(schema, name) * 2)
    current_rules_version.cache_clear()
    assert current_rules_version() != version


def test_column_codes_are_in_snake_case() -> None:
    assert [column.code for column in schema.COLUMNS] == [
        "id", "user_id", "event_type", "event_data", "timestamp", "completion_quality",
        "content_type", "difficulty_level", "day_of_week", "engagement_level",
        "session_performance_score", "time_of_day", "experiment_phase", "randomization_seed",
        "context_metadata_id",
    ]  # fmt: skip
