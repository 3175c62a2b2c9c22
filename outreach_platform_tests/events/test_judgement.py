"""What the three modes make of rows that break rules: reports, quarantine, and what goes on."""

import csv
from pathlib import Path

import duckdb
import pytest

from outreach_platform.events import schema
from outreach_platform.events.extract import InvalidEventsError
from outreach_platform.events.layout import EventFolder
from outreach_platform.events.records import DayManifest, Extraction
from outreach_platform.events.run import EventsRun
from outreach_platform.foundation.lake import find_record
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform_tests.support.event_rows import (
    CONTEXT,
    ago,
    create_source,
    day_ago,
    event,
    event_id,
    insert_events,
    new_run,
    window,
)
from outreach_platform_tests.support.postgres import execute

DAYS = 8
TABLE = '"BehavioralEvent"'


@pytest.fixture
def url(neon_url: DatabaseUrl) -> DatabaseUrl:
    """A source that keeps no promise: no key, no NOT NULL."""
    create_source(neon_url, constraints=False)
    return neon_url


@pytest.fixture
def run(url: DatabaseUrl, tmp_path: Path) -> EventsRun:
    return new_run(tmp_path, url)


def files(folder: EventFolder) -> dict[str, tuple[int, bytes]]:
    """Inode and content of all that stands in the lake and in quarantine, without records of runs
    and error reports."""
    paths = [*folder.lake.glob("date=*/*"), *folder.quarantine.rglob("*.parquet")]
    return {str(path): (path.stat().st_ino, path.read_bytes()) for path in paths}


def quarantined(folder: EventFolder, day: str) -> dict[str | None, list[str]]:
    """Id and codes of the rows of a day that failed."""
    with duckdb.connect() as engine:
        return dict(
            engine.execute(
                "SELECT id, validation_errors FROM read_parquet(?, hive_partitioning => false)",
                [str(folder.quarantined(day))],
            ).fetchall()
        )


def good_ids(folder: EventFolder) -> list[str]:
    with duckdb.connect() as engine:
        found = engine.execute(
            f"SELECT id FROM read_parquet('{folder.lake}/*/events.parquet') ORDER BY 1"
        ).fetchall()
    return [row[0] for row in found]


def refused(run: EventsRun) -> tuple[str, list[dict[str, str]]]:
    """The message of a strict run that stops, and its report."""
    with pytest.raises(InvalidEventsError) as caught:
        run.extract(window(DAYS))
    kept = find_record(run.folder.extraction, Extraction)
    assert kept == caught.value.extraction
    assert kept is not None
    assert kept.problem == str(caught.value)
    assert (kept.rows, kept.quarantined) == (0, 0)
    report = run.folder.data_dir / (kept.report or "")
    assert str(report) in str(caught.value)
    with report.open(newline="", encoding="utf-8") as file:
        return str(caught.value), list(csv.DictReader(file))


@pytest.mark.slow
def test_strict_stops_and_changes_nothing(run: EventsRun, url: DatabaseUrl) -> None:
    insert_events(url, [event(), event(timestamp=ago(4))])
    run.extract(window(DAYS))
    before = files(run.folder)
    bad = event(userId="ann.lee@example.org", sessionPerformanceScore=101)
    insert_events(url, [bad, event(timestamp=ago(1))])
    _, report = refused(run)
    assert files(run.folder) == before
    assert report == [
        {
            "rule": "session_performance_score_out_of_range",
            "column": "sessionPerformanceScore",
            "value": "101",
            "row_id": bad["id"],
        },
        {
            "rule": "user_id_invalid",
            "column": "userId",
            "value": "ann.lee@example.org",
            "row_id": bad["id"],
        },
    ]


def test_the_message_shows_the_first_five_without_e_mails(run: EventsRun, url) -> None:
    mails = [f"person{n}.of{n}@example.org" for n in range(7)]
    rows = [event(userId=mail, timestamp=ago(5, seconds=-n)) for n, mail in enumerate(mails)]
    insert_events(url, [*rows, event(contentType="fine")])
    message, report = refused(run)
    assert len(report) == 7
    assert [line["value"] for line in report] == mails
    assert message.startswith("7 of the events pulled break rules (user_id_invalid 7), so nothing")
    assert message.count("user_id_invalid (userId = 'p***@e***.org', id ") == 5
    assert "example.org" not in message
    for row in rows[:5]:
        assert row["id"] in message
    assert rows[5]["id"] not in message


@pytest.mark.slow
def test_long_and_private_values_are_not_in_the_message(run: EventsRun, url) -> None:
    execute(url, f'ALTER TABLE {TABLE} ALTER "eventData" TYPE text')
    insert_events(url, [event(eventData="{hush", userId="x" * 500), event(id=None)])
    message, report = refused(run)
    assert "hush" not in message
    assert "eventData = …" in message
    assert "x" * 41 not in message
    assert {line["rule"]: line["value"] for line in report} == {
        "event_data_invalid": "{hush",
        "user_id_invalid": "x" * 500,
        "id_missing": "",
    }


@pytest.mark.slow
def test_the_report_survives_what_csv_makes_hard(run: EventsRun, url) -> None:
    awkward = 'a "quoted", user\'s\nid; 李'
    insert_events(url, [event(userId=awkward)])
    _, report = refused(run)
    assert [line["value"] for line in report] == [awkward]


BAD = {
    "user_id_invalid": {"userId": "it's"},
    "id_invalid": {"id": "C" + "a" * 24},
    "experiment_phase_unknown": {"experimentPhase": "baseline_9", "contextMetadataId": CONTEXT},
    "experiment_phase_requires_metadata": {"experimentPhase": "baseline_1"},
    "time_of_day_out_of_range": {"timeOfDay": 24},
    "event_type_missing": {"eventType": None},
}


@pytest.mark.slow
def test_bad_rows_go_to_quarantine_and_good_ones_on(run: EventsRun, url) -> None:
    bad = {code: event(**over) for code, over in BAD.items()}
    both = event(userId="x", dayOfWeek=9)
    good = [event(), event(timestamp=ago(4))]
    insert_events(url, [*good, *bad.values(), both])
    found = run.extract(window(DAYS), "non_strict")
    assert (found.rows, found.quarantined, found.source_rows) == (2, 7, 9)
    assert good_ids(run.folder) == [row["id"] for row in good]
    assert quarantined(run.folder, day_ago(5)) == {
        **{row["id"]: [code] for code, row in bad.items()},
        both["id"]: ["user_id_invalid", "day_of_week_out_of_range"],
    }
    manifest = find_record(run.folder.manifest(day_ago(5)), DayManifest)
    assert manifest is not None
    assert manifest.errors == found.errors
    assert found.errors == {
        **dict.fromkeys(BAD, 1),
        "user_id_invalid": 2,
        "day_of_week_out_of_range": 1,
    }
    assert not run.folder.quarantined(day_ago(4)).exists()


@pytest.mark.slow
def test_a_repaired_row_comes_back_and_its_quarantine_goes(run: EventsRun, url) -> None:
    row = event(userId="it's")
    insert_events(url, [row])
    run.extract(window(DAYS), "non_strict")
    assert run.folder.quarantined(day_ago(5)).exists()
    assert good_ids(run.folder) == []
    execute(url, f"UPDATE {TABLE} SET \"userId\" = '{event()['userId']}'")
    again = run.extract(window(DAYS), "non_strict")
    assert (again.rows, again.quarantined) == (1, 0)
    assert good_ids(run.folder) == [row["id"]]
    assert not run.folder.quarantined(day_ago(5)).exists()


@pytest.mark.slow
def test_without_validation_everything_goes_on_and_says_so(run: EventsRun, url) -> None:
    insert_events(url, [event(**over) for over in BAD.values()])
    found = run.extract(window(DAYS), "none")
    assert (found.rows, found.quarantined, found.errors) == (len(BAD), 0, {})
    assert found.validation == "none"
    manifest = find_record(run.folder.manifest(day_ago(5)), DayManifest)
    assert manifest is not None
    assert (manifest.validation, manifest.rules_version) == ("none", "")
    message, _ = refused(run)
    assert "id_invalid 1" in message


# --- ids that stand twice ----------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("other", [5, 4], ids=["in a day", "across days of one pull"])
def test_a_doubled_id_is_caught(run: EventsRun, url, other: int) -> None:
    twice = event_id(1, "d")
    insert_events(url, [event(id=twice), event(id=twice, timestamp=ago(other)), event()])
    found = run.extract(window(DAYS), "non_strict")
    assert found.errors == {schema.ID_NOT_UNIQUE: 2}
    assert quarantined(run.folder, day_ago(other)) == {twice: [schema.ID_NOT_UNIQUE]}
    assert twice not in good_ids(run.folder)


@pytest.mark.slow
def test_a_doubled_id_across_a_pulled_and_a_kept_day_is_caught(run: EventsRun, url) -> None:
    twice = event_id(1, "d")
    insert_events(url, [event(id=twice), event(timestamp=ago(1))])
    run.extract(window(DAYS))
    before = files(run.folder)
    insert_events(url, [event(id=twice, timestamp=ago(1)), event(timestamp=ago(1))])
    _, report = refused(run)
    assert [(line["rule"], line["row_id"]) for line in report] == [("id_not_unique", twice)]
    assert files(run.folder) == before
    found = run.extract(window(DAYS), "non_strict")
    assert found.errors == {schema.ID_NOT_UNIQUE: 1}
    assert good_ids(run.folder).count(twice) == 1
    # A source that keeps ids unique needs no comparison, and cannot hold it.
    execute(url, f"DELETE FROM {TABLE} WHERE id = '{twice}' AND \"timestamp\" > '{day_ago(2)}'")
    execute(url, f"ALTER TABLE {TABLE} ADD PRIMARY KEY (id)")
    assert run.extract(window(DAYS)).errors == {}


@pytest.mark.slow
def test_nulls_are_no_doubled_ids(run: EventsRun, url) -> None:
    insert_events(url, [event(id=None), event(id=None), event(id=None, timestamp=ago(4))])
    found = run.extract(window(DAYS), "non_strict")
    assert found.errors == {"id_missing": 3}


# --- values the source may hold ----------------------------------------------------------------


@pytest.mark.slow
def test_an_enum_value_the_source_added_is_quarantined_not_fatal(run: EventsRun, url) -> None:
    insert_events(url, [event()])
    run.extract(window(DAYS))
    execute(url, "ALTER TYPE \"EventType\" ADD VALUE 'CARD_SHARED'")
    execute(url, "ALTER TYPE \"EngagementLevel\" ADD VALUE 'EXTREME'")
    added = [event(eventType="CARD_SHARED"), event(engagementLevel="EXTREME")]
    insert_events(url, added)
    found = run.extract(window(DAYS), "non_strict")
    assert found.errors == {"event_type_unknown": 1, "engagement_level_unknown": 1}
    assert quarantined(run.folder, day_ago(5)) == {
        added[0]["id"]: ["event_type_unknown"],
        added[1]["id"]: ["engagement_level_unknown"],
    }
    message, _ = refused(run)
    assert "eventType = 'CARD_SHARED'" in message


@pytest.mark.slow
def test_text_that_is_no_json_is_found(run: EventsRun, url) -> None:
    execute(url, f'ALTER TABLE {TABLE} ALTER "eventData" TYPE text')
    good = ['{"a": [1, {"b": null}]}', '"naïve"', "1e5", '{"a":1,"a":2}']
    bad = ["{", "", "NaN", "[1,]", "{'a': 1}", "undefined", '"\\ud800"']
    insert_events(url, [event(eventData=text) for text in good])
    broken = [event(eventData=text) for text in bad]
    insert_events(url, broken)
    found = run.extract(window(DAYS), "non_strict")
    assert (found.rows, found.errors) == (len(good), {schema.JSON_INVALID: len(bad)})
    assert quarantined(run.folder, day_ago(5)) == {
        row["id"]: [schema.JSON_INVALID] for row in broken
    }


@pytest.mark.slow
def test_json_of_jsonb_is_taken_at_the_sources_word(run: EventsRun, url) -> None:
    """Unusual keys, deep nesting, a JSON null: all of it is JSON."""
    deep = "[" * 3000 + "]" * 3000
    documents = ['{"": {" ": {"$x.y[0]": {"\\"": "\\u00e9\\n"}}}}', deep, "null", '"NaN"', "[]"]
    insert_events(url, [event(eventData=text) for text in documents])
    assert run.extract(window(DAYS)).rows == len(documents)


@pytest.mark.slow
def test_warnings_are_counted_by_day_and_stop_nothing(run: EventsRun, url) -> None:
    insert_events(url, [event(dayOfWeek=(event()["dayOfWeek"] + 1) % 7), event()])
    insert_events(url, [event(timestamp=ago(4), dayOfWeek=None)])
    found = run.extract(window(DAYS))
    assert (found.rows, found.warnings, found.errors) == (3, {schema.DAY_MISMATCH: 1}, {})
    manifests = [find_record(run.folder.manifest(day_ago(n)), DayManifest) for n in (5, 4)]
    assert [m.warnings if m else None for m in manifests] == [{schema.DAY_MISMATCH: 1}, {}]


@pytest.mark.slow
def test_nulls_are_counted_before_validation(run: EventsRun, url) -> None:
    insert_events(url, [event(userId=None, timeOfDay=None), event(timeOfDay=None)])
    run.extract(window(DAYS), "non_strict")
    manifest = find_record(run.folder.manifest(day_ago(5)), DayManifest)
    assert manifest is not None
    rest = {"experimentPhase": 2, "contextMetadataId": 2}
    assert manifest.nulls == {"userId": 1, "timeOfDay": 2, **rest}


@pytest.mark.slow
def test_equal_data_gives_equal_files_in_whatever_order_it_was_written(url, tmp_path) -> None:
    """Without validation ids may stand twice or be missing, and times may be equal."""
    rows = [event(id=event_id(3, "d"), contentType=f"{n}") for n in range(4)]
    rows += [event(id=None, randomizationSeed=n) for n in range(4)]
    contents = []
    for name, order in (("one", rows), ("other", rows[::-1])):
        execute(url, f"TRUNCATE {TABLE}")
        insert_events(url, order)
        run = new_run(tmp_path / name, url)
        run.extract(window(DAYS), "none")
        contents.append(run.folder.day(day_ago(5)).read_bytes())
    assert contents[0] == contents[1]
