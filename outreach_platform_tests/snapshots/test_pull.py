"""The pull from a real PostgreSQL: spellings, dirty values, shapes of the source, versions."""

import threading
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg2
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outreach_platform.foundation.errors import (
    IntegrityError,
    SourceError,
    SourceUnavailableError,
    UsageError,
)
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.records.states import STATES
from outreach_platform.snapshots.layout import PullRecord, StateFolder
from outreach_platform.snapshots.pull import zero_rows_warning
from outreach_platform.snapshots.run import SnapshotRun
from outreach_platform_tests.support.masters import (
    COMPANIES,
    PEOPLE,
    company,
    create_masters,
    insert,
    person,
)
from outreach_platform_tests.support.postgres import execute
from outreach_platform_tests.support.snapshot_runs import (
    NOWHERE,
    START,
    fill,
    later,
    new_run,
    pull_to_judge,
    settings_for,
    statuses,
)


def raw(run: SnapshotRun, record: PullRecord, table: str = "companies") -> list[dict[str, Any]]:
    """The rows of a pulled file, read by Arrow."""
    return pq.read_table(run.folder.table(record.version, f"{table}_raw")).to_pylist()


def pulled_ids(url: DatabaseUrl, data_dir: Path, state: str) -> list[str]:
    """Company ids that a pull of the state brings, sorted."""
    run = new_run(url, data_dir, state, run_id=f"run-{state}")
    return sorted(row["company_unique_id"] for row in raw(run, run.pull()))


WEST_VIRGINIA = [
    *("WV", "wv", " wv ", "W.V.", "W. Va.", "WVa", "West Virginia", "WEST VIRGINIA", "US-WV"),
    *("west  virginia", "West Va.", "\twv\n", "w-v", "'WV'", 'W"V', "WV;", "WV\\", "%WV%"),
]
ELSEWHERE = ["VA", "Virginia", "", " ", "WVU", "Wyoming", "West", "virginia west", "WV PA", "—"]


@pytest.mark.parametrize("column", ["address_state", "state_abbrev"])
def test_every_spelling_in_either_column_is_found_and_no_other(
    neon_url: DatabaseUrl, tmp_path: Path, column: str
) -> None:
    create_masters(neon_url)
    other = {"address_state": "state_abbrev", "state_abbrev": "address_state"}[column]
    inside = [company(**{column: text, other: None}) for text in WEST_VIRGINIA]
    outside = [company(**{column: text, other: None}) for text in [*ELSEWHERE, None]]
    insert(neon_url, COMPANIES, [*inside, *outside])
    run = new_run(neon_url, tmp_path)
    record = run.pull()
    assert {row["company_unique_id"] for row in raw(run, record)} == {
        row["company_unique_id"] for row in inside
    }
    assert record.spellings == sorted(WEST_VIRGINIA)
    assert {row[column] for row in raw(run, record)} == set(WEST_VIRGINIA)


@pytest.mark.slow
def test_a_company_whose_columns_name_two_states_goes_to_its_address_only(
    neon_url: DatabaseUrl, tmp_path: Path
) -> None:
    create_masters(neon_url)
    pairs = [
        ("WV", "PA", "WV"),
        ("West Virginia", "pa", "WV"),
        ("Penna.", "WV", "PA"),
        ("WV", "WV", "WV"),
        (None, "PA", "PA"),
        ("  ", "PA", "PA"),
        ("Texas", "PA", "PA"),
        ("PA", "TX", "PA"),
        ("Texas", "TX", None),
        (None, None, None),
        ("WV", None, "WV"),
        ("WV", "", "WV"),
    ]
    rows = [company(address_state=a, state_abbrev=b) for a, b, _ in pairs]
    insert(neon_url, COMPANIES, rows)
    found = {state: pulled_ids(neon_url, tmp_path, state) for state in STATES}
    for state in STATES:
        expected = [
            row["company_unique_id"]
            for row, (_, _, owner) in zip(rows, pairs, strict=True)
            if owner == state
        ]
        assert found[state] == sorted(expected)
    run = new_run(neon_url, tmp_path, run_id="again")
    assert run.pull().conflicting == 3


texts = st.text(
    st.characters(exclude_characters="\x00", exclude_categories=("Cs",))
    | st.sampled_from("'\";\\%$\n\r\t-/*:@{}()\u2028é"),
    max_size=12,
)


@pytest.mark.slow
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    values=st.lists(
        st.tuples(st.none() | texts, st.none() | texts, st.sampled_from(WEST_VIRGINIA), texts),
        min_size=1,
        max_size=4,
    )
)
def test_any_value_comes_over_unchanged(
    neon_url: DatabaseUrl, tmp_path_factory: pytest.TempPathFactory, values: list[tuple]
) -> None:
    create_masters(neon_url)
    execute(neon_url, f"TRUNCATE {COMPANIES}, {PEOPLE} CASCADE")
    rows = [
        company(
            company_name=name,
            website_url=website,
            address_state=state + junk_around(other),
            state_abbrev=other or None,
            keywords=[name or "", other],
        )
        for name, website, state, other in values
    ]
    insert(neon_url, COMPANIES, rows)
    people = [
        person(company_unique_id=r["company_unique_id"], title=v[3])
        for r, v in zip(rows, values, strict=True)
    ]
    insert(neon_url, PEOPLE, people)
    run = new_run(neon_url, tmp_path_factory.mktemp("pull"))
    record = run.pull()
    found = {row["company_unique_id"]: row for row in raw(run, record)}
    assert set(found) == {row["company_unique_id"] for row in rows}
    for row in rows:
        for column in ("company_name", "website_url", "address_state", "state_abbrev", "keywords"):
            assert found[row["company_unique_id"]][column] == row[column]
    assert sorted(r["title"] for r in raw(run, record, "people")) == sorted(v[3] for v in values)


def junk_around(text: str) -> str:
    """The signs of a text that do not change which state it spells."""
    return "".join(c for c in text if not c.isalnum() and c.isascii())


def test_all_columns_and_types_come_over(neon_url: DatabaseUrl, tmp_path: Path) -> None:
    create_masters(
        neon_url,
        company_columns={
            "shape": "point",
            "a b": "integer",
            'q"uote': "text",
            "Größe": "numeric",
            "select": "boolean",
            "many": "integer[]",
            "data": "bytea",
            "day": "date",
        },
    )
    execute(
        neon_url,
        """ALTER TABLE marketing.company_master ADD COLUMN "percent%s" jsonb DEFAULT '{"a": 1}'""",
    )
    row = company(
        **{
            "keywords": ["a", None, "b;'\"\\"],
            "data_quality_score": Decimal("99.50"),
            "shape": "(1,2)",
            "a b": 7,
            'q"uote': "x",
            "select": True,
            "many": [1, None, 3],
            "data": b"\x00\xff",
            "day": date(2020, 2, 29),
        }
    )
    insert(neon_url, COMPANIES, [row])
    run = new_run(neon_url, tmp_path)
    record = run.pull()
    (found,) = raw(run, record)
    for name, value in row.items():
        if name != "shape":
            assert found[name] == value, name
    assert found["shape"] == "(1,2)"
    assert found["percent%s"].replace(" ", "") == '{"a":1}'
    names = list(found)
    assert names[:3] == ["company_unique_id", "company_name", "website_url"]
    assert names[29:] == [
        "shape",
        "a b",
        'q"uote',
        "Größe",
        "select",
        "many",
        "data",
        "day",
        "percent%s",
    ]
    assert [c.name for c in record.company_columns] == names
    split = run.split(record.version)
    assert split.rows("companies_good") == 1
    good = pq.read_schema(run.folder.table(record.version, "companies_good"))
    assert good.names == [*names, "validation_errors", "validation_warnings"]


@pytest.mark.slow
def test_schema_changes_are_reported_against_the_last_pull(
    neon_url: DatabaseUrl, tmp_path: Path
) -> None:
    create_masters(neon_url)
    assert new_run(neon_url, tmp_path, run_id="a").pull().schema_changes == []
    execute(
        neon_url,
        "ALTER TABLE marketing.company_master ADD COLUMN score real, DROP COLUMN sic_codes, "
        "ALTER COLUMN employee_count TYPE bigint; "
        "ALTER TABLE marketing.people_master RENAME COLUMN bio TO biography",
    )
    assert new_run(neon_url, tmp_path, run_id="b").pull().schema_changes == [
        "company_master.score is new (real)",
        "company_master.sic_codes is gone",
        "company_master.employee_count was integer and is bigint",
        "people_master.biography is new (text)",
        "people_master.bio is gone",
    ]
    assert new_run(neon_url, tmp_path, run_id="c").pull().schema_changes == []
    assert new_run(neon_url, tmp_path, "OH", run_id="d").pull().schema_changes == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            "ALTER TABLE marketing.company_master RENAME COLUMN website_url TO website",
            "marketing.company_master lacks the column website_url",
        ),
        (
            "ALTER TABLE marketing.people_master DROP COLUMN email, DROP COLUMN title",
            "marketing.people_master lacks the columns email, title",
        ),
        (
            "ALTER TABLE marketing.company_master RENAME TO companies",
            "has no table marketing.company_master",
        ),
        (
            "ALTER TABLE marketing.people_master RENAME TO people",
            "has no table marketing.people_master",
        ),
        ("DROP SCHEMA marketing CASCADE", "has no table marketing.company_master"),
        (
            "ALTER TABLE marketing.company_master DROP COLUMN address_state, "
            "DROP COLUMN state_abbrev",
            "neither address_state nor state_abbrev",
        ),
        (
            "ALTER TABLE marketing.company_master ADD COLUMN validation_errors text",
            "marketing.company_master has the column validation_errors",
        ),
        (
            'ALTER TABLE marketing.people_master ADD COLUMN "Validation_Warnings" text',
            "marketing.people_master has the column Validation_Warnings",
        ),
        (
            "ALTER TABLE marketing.people_master ADD COLUMN file_row_number text",
            "marketing.people_master has the column file_row_number",
        ),
        (
            "ALTER TABLE marketing.company_master ADD COLUMN snapshot_state text",
            "marketing.company_master has the column snapshot_state",
        ),
        (
            'ALTER TABLE marketing.people_master ADD COLUMN "EMAIL" text',
            "marketing.people_master has the columns EMAIL and email",
        ),
    ],
)
def test_a_source_of_another_shape_is_refused_in_clear_words(
    neon_url: DatabaseUrl, tmp_path: Path, change: str, message: str
) -> None:
    create_masters(neon_url)
    fill(neon_url)
    execute(neon_url, change)
    run = new_run(neon_url, tmp_path)
    with pytest.raises(SourceError, match=message):
        run.pull()
    assert run.folder.versions() == []
    assert statuses(neon_url) == [(None, "FAILED")]
    assert not [p for p in run.folder.lake.rglob("*") if p.is_file()]


@pytest.mark.parametrize("column", ["address_state", "state_abbrev"])
def test_one_of_the_state_columns_is_enough(
    neon_url: DatabaseUrl, tmp_path: Path, column: str
) -> None:
    create_masters(neon_url, company_columns={column: None})
    rows = [company() for _ in range(3)]
    for row in rows:
        del row[column]
    insert(neon_url, COMPANIES, rows)
    assert len(pulled_ids(neon_url, tmp_path, "WV")) == 3
    assert pulled_ids(neon_url, tmp_path, "PA") == []


@pytest.mark.slow
def test_no_rows_name_the_spellings_that_are_there(neon_url: DatabaseUrl, tmp_path: Path) -> None:
    create_masters(neon_url)
    fill(neon_url, companies=3, state="W.Virginny")
    fill(neon_url, companies=2, state="O'Hio")
    run = new_run(neon_url, tmp_path)
    record = run.pull()
    warning = zero_rows_warning(record)
    assert warning is not None
    assert "0 companies found for West Virginia" in warning
    assert "'W.Virginny' 3" in warning
    assert '"O\'Hio" 2' in warning
    assert raw(run, record) == raw(run, record, "people") == []
    gates = run.judge(run.split(record.version).version)
    assert gates.verdict("K1").warnings == ["0 companies were judged"]
    execute(neon_url, f"TRUNCATE {COMPANIES} CASCADE")
    warning = zero_rows_warning(new_run(neon_url, tmp_path, run_id="b").pull())
    assert warning is not None
    assert "hold none at all" in warning
    insert(neon_url, COMPANIES, [company()])
    assert zero_rows_warning(new_run(neon_url, tmp_path, run_id="c").pull()) is None


def test_people_come_through_their_company_and_none_twice(
    neon_url: DatabaseUrl, tmp_path: Path
) -> None:
    create_masters(neon_url, primary_keys=False)
    here = company()
    there = company(address_state="PA", state_abbrev="PA")
    insert(neon_url, COMPANIES, [here, here, there])
    ours = [person(company_unique_id=here["company_unique_id"]) for _ in range(2)]
    theirs = person(company_unique_id=there["company_unique_id"])
    insert(neon_url, PEOPLE, [*ours, theirs, person()])
    run = new_run(neon_url, tmp_path)
    record = run.pull()
    assert record.companies.rows == 2
    assert sorted(p["unique_id"] for p in raw(run, record, "people")) == sorted(
        p["unique_id"] for p in ours
    )


def test_the_schema_can_be_moved_by_settings(neon_url: DatabaseUrl, tmp_path: Path) -> None:
    create_masters(neon_url)
    fill(neon_url)
    execute(neon_url, 'ALTER SCHEMA marketing RENAME TO "Mark\'s; ""own"""')
    moved = settings_for(tmp_path, schema='Mark\'s; "own"')
    assert new_run(neon_url, tmp_path, settings=moved).pull().companies.rows == 10
    with pytest.raises(SourceError, match=r"has no table marketing\.company_master"):
        new_run(neon_url, tmp_path, run_id="b").pull()


@pytest.mark.slow
def test_both_tables_are_of_one_moment_while_a_writer_moves_rows(
    neon_url: DatabaseUrl, tmp_path: Path
) -> None:
    create_masters(neon_url)
    rows = fill(neon_url, companies=40, people=3)
    stop = threading.Event()
    moves = []

    def move() -> None:
        connection = psycopg2.connect(neon_url.conninfo)
        turn = 0
        while not stop.is_set():
            turn += 1
            chosen = rows[turn % len(rows)]["company_unique_id"]
            state = "PA" if turn // len(rows) % 2 == 0 else "WV"
            with connection, connection.cursor() as cursor:
                # A company leaves and takes its people with it, under one commit.
                cursor.execute(
                    "UPDATE marketing.company_master SET address_state = %s, state_abbrev = %s "
                    "WHERE company_unique_id = %s",
                    (state, state, chosen),
                )
                cursor.execute(
                    "UPDATE marketing.people_master SET department = %s "
                    "WHERE company_unique_id = %s",
                    (state, chosen),
                )
            moves.append(chosen)
        connection.close()

    execute(neon_url, "UPDATE marketing.people_master SET department = 'WV'")
    writer = threading.Thread(target=move)
    writer.start()
    seen = set()
    try:
        for number in range(12):
            run = new_run(neon_url, tmp_path, run_id=f"run-{number}")
            record = run.pull()
            companies = {row["company_unique_id"] for row in raw(run, record)}
            people = raw(run, record, "people")
            assert {row["department"] for row in people} <= {"WV"}
            assert len(people) == 3 * len(companies)
            assert {row["company_unique_id"] for row in people} == companies
            seen.add(frozenset(companies))
    finally:
        stop.set()
        writer.join()
    assert len(moves) > 100
    assert len(seen) > 3


@pytest.mark.slow
def test_two_pulls_in_one_second_have_two_versions(neon_url: DatabaseUrl, tmp_path: Path) -> None:
    create_masters(neon_url)
    versions = [
        new_run(neon_url, tmp_path, run_id=f"run-{n}", at=START).pull().version for n in range(3)
    ]
    assert versions == ["20260302100000", "20260302100001", "20260302100002"]


@pytest.mark.parametrize("seconds", [-1, -30, -599])
def test_a_clock_set_back_a_little_still_makes_the_newest_version(
    neon_url: DatabaseUrl, tmp_path: Path, seconds: int
) -> None:
    create_masters(neon_url)
    first = new_run(neon_url, tmp_path, run_id="a", at=START).pull()
    second = new_run(neon_url, tmp_path, run_id="b", at=later(seconds)).pull()
    assert second.version == "20260302100001"
    assert second.pulled_at == later(seconds)
    assert first.version < second.version


def test_a_clock_that_ran_far_ahead_does_not_take_others_with_it(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path, "WV")
    for version in ("20990101000000", "20260302100000", "20260302100001"):
        folder.version(version).mkdir(parents=True)
    assert folder.free_version(START) == "20260302100002"


def test_names_that_are_no_versions_are_nobodys_business(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path, "WV")
    for name in (
        "99999999999999",
        "2026",
        "20260230000000",
        "backup",
        "".join(chr(0xFF10 + int(d)) for d in "20260302100001"),
    ):
        folder.version(name).mkdir(parents=True)
        folder.pull_record(name).write_text("{}")
    assert folder.versions() == []
    assert folder.free_version(START) == "20260302100000"


def test_a_version_is_named_in_utc(neon_url: DatabaseUrl, tmp_path: Path) -> None:
    from datetime import timezone

    create_masters(neon_url)
    evening = datetime(2026, 3, 1, 22, 30, tzinfo=timezone(timedelta(hours=-5)))
    record = new_run(neon_url, tmp_path, at=evening).pull()
    assert record.version == "20260302033000"
    assert record.partition == date(2026, 3, 2)


def test_a_past_day_without_raw_rows_is_refused_and_audited(
    neon_url: DatabaseUrl, tmp_path: Path
) -> None:
    create_masters(neon_url)
    run = new_run(neon_url, tmp_path, at=START)
    with pytest.raises(UsageError, match=r"WV 2026-03-01: no raw rows .* source has moved on"):
        run.pull(date(2026, 3, 1))
    assert statuses(neon_url) == [(None, "FAILED")]
    assert run.folder.versions() == []


def test_a_day_to_come_is_refused(neon_url: DatabaseUrl, tmp_path: Path) -> None:
    create_masters(neon_url)
    run = new_run(neon_url, tmp_path, at=START)
    with pytest.raises(UsageError, match="2026-03-03: that day has not come yet"):
        run.pull(date(2026, 3, 3))
    assert run.folder.versions() == []


@pytest.mark.slow
def test_a_past_day_is_rebuilt_from_its_newest_raw_rows(
    neon_url: DatabaseUrl, tmp_path: Path
) -> None:
    create_masters(neon_url)
    fill(neon_url)
    new_run(neon_url, tmp_path, run_id="a", at=START).pull()
    second = new_run(neon_url, tmp_path, run_id="b", at=later(60)).pull()
    execute(neon_url, f"TRUNCATE {COMPANIES}, {PEOPLE} CASCADE")
    tomorrow = START + timedelta(days=1)
    run = new_run(neon_url, tmp_path, run_id="c", at=tomorrow)
    assert run.pull(START.date()) == second
    assert run.select_version(START.date()) == second.version
    run.split(second.version)
    assert run.judge(second.version).passed
    run.export(second.version)
    run.upload(second.version)
    receipt, _ = run.record(second.version)
    assert receipt.version == second.version
    with pytest.raises(UsageError, match="materialize companies_raw and people_raw first"):
        run.select_version(tomorrow.date())


@pytest.mark.parametrize("what", ["changed", "gone"])
def test_damaged_raw_rows_of_a_past_day_are_refused(
    neon_url: DatabaseUrl, tmp_path: Path, what: str
) -> None:
    create_masters(neon_url)
    run = new_run(neon_url, tmp_path, run_id="a", at=START)
    path = run.folder.table(run.pull().version, "people_raw")
    path.unlink()
    if what == "changed":
        path.write_bytes(b"something else")
    tomorrow = new_run(neon_url, tmp_path, run_id="b", at=START + timedelta(days=1))
    with pytest.raises(IntegrityError, match="checksum changed" if what == "changed" else "gone"):
        tomorrow.pull(START.date())


@pytest.mark.slow
def test_this_runs_pull_is_worked_on_though_a_newer_one_stands(
    neon_url: DatabaseUrl, tmp_path: Path
) -> None:
    create_masters(neon_url)
    mine = new_run(neon_url, tmp_path, run_id="mine", at=START)
    version = mine.pull().version
    new_run(neon_url, tmp_path, run_id="other", at=later(5)).pull()
    assert mine.select_version(START.date()) == version


@pytest.mark.slow
def test_an_unreachable_database_is_said_without_its_password(tmp_path: Path) -> None:
    run = new_run(NOWHERE, tmp_path)
    with pytest.raises(SourceUnavailableError) as caught:
        run.pull()
    assert "127.0.0.1" in str(caught.value)
    assert "hush-hush-1" not in str(caught.value)
    assert run.folder.versions() == []


@pytest.mark.slow
def test_a_judged_pull_of_every_state_finds_each_company_once(
    neon_url: DatabaseUrl, tmp_path: Path
) -> None:
    create_masters(neon_url)
    for code, name in STATES.items():
        insert(neon_url, COMPANIES, [company(address_state=name, state_abbrev=code)])
    counts = []
    for state in STATES:
        record, split, gates = pull_to_judge(new_run(neon_url, tmp_path, state, run_id=state))
        assert gates.passed
        counts.append((record.companies.rows, split.rows("companies_good")))
    assert counts == [(1, 1)] * 6


@pytest.mark.slow
def test_the_moment_of_the_pull_is_utc_and_now(neon_url: DatabaseUrl, tmp_path: Path) -> None:
    create_masters(neon_url)
    before = datetime.now(UTC)
    record = new_run(neon_url, tmp_path).pull()
    assert before <= record.pulled_at <= datetime.now(UTC)
    assert record.partition == record.pulled_at.date()
