"""The split against rules written out once more in plain Python, on real Parquet files."""

import json
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outreach_platform.foundation.errors import SourceError
from outreach_platform.foundation.lake import read_record, sha256_of
from outreach_platform.foundation.warehouse import bulk_engine
from outreach_platform.snapshots.judgement import check_nothing_lost
from outreach_platform.snapshots.layout import TABLES, IdCounts, SplitRecord, StateFolder
from outreach_platform.snapshots.split import split
from outreach_platform_tests.support.snapshot_runs import START, stored_pull, text_table

VERSION = START.strftime("%Y%m%d%H%M%S")
COMPANY_NEEDS = ("company_unique_id", "company_name", "website_url")
PEOPLE_NEEDS = ("unique_id", "company_unique_id", "email", "title")
PLACEHOLDERS = {
    *("", "n/a", "na", "n.a.", "none", "null", "nil", "unknown", "test", "-", "--"),
    *("not available", "(blank)", "tbd"),
}
COMPANY_ID = "04.04.01.{:02d}.{:05d}.{:03d}"


def run_split(folder: StateFolder, companies: pa.Table, people: pa.Table) -> SplitRecord:
    """Store two raw tables and split them."""
    stored_pull(folder, VERSION, companies, people)
    return split_again(folder)


def split_again(folder: StateFolder) -> SplitRecord:
    """Split what is stored."""
    with bulk_engine(folder.data_dir / "spill") as engine:
        return split(engine, folder, VERSION)


def rows_of(folder: StateFolder, table: str) -> list[dict[str, Any]]:
    """A table's rows, read by Arrow."""
    return pq.read_table(folder.table(VERSION, table)).to_pylist()


def missing(value: object) -> bool:
    """Null, blank or a placeholder."""
    text = "" if value is None else str(value)
    return text.replace("\u00a0", " ").strip().lower() in PLACEHOLDERS


def company_errors(row: dict[str, Any]) -> list[str]:
    """The codes the facts give a company."""
    codes = ["company_name_missing"] if missing(row["company_name"]) else []
    if missing(row["website_url"]):
        return [*codes, "website_url_missing"]
    return codes if "." in row["website_url"] else [*codes, "website_url_invalid"]


def company_warnings(row: dict[str, Any]) -> list[str]:
    """The plain ones of a company's warnings; None for a column that is not there."""
    codes = []
    if "industry" in row and missing(row["industry"]):
        codes.append("industry_missing")
    if "employee_count" in row and row["employee_count"] in (None, 0):
        codes.append("employee_count_missing")
    return codes


def person_errors(row: dict[str, Any], good: set[str]) -> list[str]:
    """The codes the facts give a person, `good` being the ids of good companies."""
    codes = []
    email = (row["email"] or "").replace("\u00a0", " ").strip()
    if missing(email) or not re.match(r"[^@]+@[^@]+\.[^@]+", email):
        codes.append("email_invalid")
    if missing(row["title"]):
        codes.append("title_missing")
    return codes if row["company_unique_id"] in good else [*codes, "company_not_valid"]


ids = st.none() | st.sampled_from(["c1", "c2", "c3", "c4", "'; --", ""])
dirty = st.none() | st.sampled_from(
    ["", " ", "\u00a0", "N/A", " n.a. ", "TBD", "(Blank)", "test", "tested", "--", "---", "a'b\"c"]
)
names = dirty | st.text(max_size=6).filter(lambda text: "\x00" not in text)
websites = dirty | st.sampled_from(["http://localhost", "a.example", ".", "x . y", "ä.example"])
emails = dirty | st.sampled_from(
    ["a@b.c", " a@b.c ", "a@b", "a@@b.c", "@b.c", "a@b.c@d", "a@b.", "\u00a0a@b.c", "https://a.b/c"]
)
companies_rows = st.lists(
    st.fixed_dictionaries(
        {
            "company_unique_id": ids,
            "company_name": names,
            "website_url": websites,
            "industry": dirty,
            "employee_count": st.none() | st.integers(0, 2),
            "extra": st.none() | st.lists(st.text("ab", max_size=2), max_size=2),
        }
    ),
    max_size=8,
)
people_rows = st.lists(
    st.fixed_dictionaries(
        {
            "unique_id": ids,
            "company_unique_id": ids | st.just("dangling"),
            "email": emails,
            "title": dirty | st.just("CEO"),
            "score": st.none() | st.decimals(-9, 9, places=2).map(Decimal),
        }
    ),
    max_size=12,
)
COMPANY_TYPES = {
    "industry": pa.string(),
    "employee_count": pa.int32(),
    "extra": pa.list_(pa.string()),
}
PEOPLE_TYPES = {"score": pa.decimal128(5, 2)}


def table_of(
    rows: list[dict[str, Any]], needed: tuple[str, ...], types: dict[str, pa.DataType]
) -> pa.Table:
    """Rows as an Arrow table, each with its number in `marker`."""
    columns: dict[str, pa.Array] = {
        name: pa.array([row[name] for row in rows], pa.string()) for name in needed
    }
    for name, kind in types.items():
        columns[name] = pa.array([row[name] for row in rows], kind)
    columns["marker"] = pa.array(range(len(rows)), pa.int64())
    return pa.table(columns)


@contextmanager
def new_folder() -> Iterator[StateFolder]:
    """A state's folder of its own for one example."""
    data_dir = Path(tempfile.mkdtemp(prefix="split-"))
    try:
        yield StateFolder(data_dir, "WV")
    finally:
        shutil.rmtree(data_dir)


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    companies=companies_rows,
    people=people_rows,
    company_columns=st.sets(st.sampled_from(sorted(COMPANY_TYPES))),
    people_columns=st.sets(st.sampled_from(sorted(PEOPLE_TYPES))),
)
def test_good_and_bad_are_what_the_facts_say_and_nothing_is_lost(
    companies: list[dict[str, Any]],
    people: list[dict[str, Any]],
    company_columns: set[str],
    people_columns: set[str],
) -> None:
    raw = {
        "companies": table_of(
            companies, COMPANY_NEEDS, {n: COMPANY_TYPES[n] for n in sorted(company_columns)}
        ),
        "people": table_of(
            people, PEOPLE_NEEDS, {n: PEOPLE_TYPES[n] for n in sorted(people_columns)}
        ),
    }
    with new_folder() as folder:
        record = run_split(folder, raw["companies"], raw["people"])
        files = {table: pq.read_table(folder.table(VERSION, table)) for table in TABLES}
        sums = {table: sha256_of(folder.table(VERSION, table)) for table in TABLES}
        again = split_again(folder)
        assert again == record
        assert {table: sha256_of(folder.table(VERSION, table)) for table in TABLES} == sums
    good_ids = {r["company_unique_id"] for r in companies if not company_errors(r)} - {None}
    seen = {
        "companies": [company_errors(row) for row in companies],
        "people": [person_errors(row, good_ids) for row in people],
    }
    for entity, expected in seen.items():
        good, bad = files[f"{entity}_good"].to_pylist(), files[f"{entity}_bad"].to_pylist()
        assert sorted(row["marker"] for row in good) == [n for n, e in enumerate(expected) if not e]
        assert {row["marker"]: row["validation_errors"] for row in bad} == {
            n: e for n, e in enumerate(expected) if e
        }
        assert len(good) + len(bad) == len(expected) == record.rows(f"{entity}_raw")
        originals = raw[entity].to_pylist()
        for row in [*good, *bad]:
            kept = {k: v for k, v in row.items() if not k.startswith("validation_")}
            assert kept == originals[row["marker"]]
        for verdict in ("good", "bad"):
            schema = files[f"{entity}_{verdict}"].schema
            assert schema.names == [*raw[entity].column_names, *VALIDATION]
            for name in raw[entity].column_names:
                wanted = raw[entity].schema.field(name).type
                assert same_type(schema.field(name).type, wanted), name
            for name in VALIDATION:
                assert pa.types.is_list(schema.field(name).type)
        counted = Counter(code for codes in expected for code in codes)
        assert record.errors[entity] == dict(counted)
    for row in [*files["companies_good"].to_pylist(), *files["companies_bad"].to_pylist()]:
        plain = [c for c in row["validation_warnings"] if c in PLAIN_WARNINGS]
        assert plain == company_warnings(row)
    assert all(row["company_unique_id"] in good_ids for row in files["people_good"].to_pylist())
    assert record.lost == {"companies": 0, "people": 0}
    assert record.company_ids.null == sum(r["company_unique_id"] is None for r in companies)
    assert record.company_ids.doubled == doubled([r["company_unique_id"] for r in companies])
    assert record.people_ids.doubled == doubled([r["unique_id"] for r in people])


VALIDATION = ("validation_errors", "validation_warnings")
PLAIN_WARNINGS = ("industry_missing", "employee_count_missing")


def same_type(found: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether two types are the same; the name of a list's element is none of ours."""
    if pa.types.is_list(wanted):
        return pa.types.is_list(found) and found.value_type == wanted.value_type
    return found == wanted


def doubled(values: list[str | None]) -> int:
    """Values that stand more than once, nulls aside."""
    return sum(count > 1 for value, count in Counter(values).items() if value is not None)


def good_company(number: int, **changes: str | None) -> dict[str, str | None]:
    """A company that breaks no rule."""
    company_id = COMPANY_ID.format(number % 100, number, number % 1000)
    return {
        "company_unique_id": company_id,
        "company_name": f"Company {number}",
        "website_url": f"https://c{number}.example",
        **changes,
    }


def good_person(number: int, company: str | None, **changes: str | None) -> dict[str, str | None]:
    """A person of that company who breaks no rule."""
    person_id = f"04.04.02.{number % 100:02d}.{number:05d}.{number % 1000:03d}"
    return {
        "unique_id": person_id,
        "company_unique_id": company,
        "email": f"p{number}@c.example",
        "title": "CEO",
        **changes,
    }


def plain_split(
    folder: StateFolder,
    companies: list[dict[str, str | None]],
    people: list[dict[str, str | None]],
) -> SplitRecord:
    """Split rows that have the needed columns only."""
    return run_split(
        folder,
        text_table(COMPANY_NEEDS, [[row[c] for c in COMPANY_NEEDS] for row in companies]),
        text_table(PEOPLE_NEEDS, [[row[c] for c in PEOPLE_NEEDS] for row in people]),
    )


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    """An empty folder of West Virginia."""
    return StateFolder(tmp_path, "WV")


def test_regression_1_a_person_with_a_null_email_is_bad_and_not_lost(folder: StateFolder) -> None:
    company = good_company(1)
    person = good_person(1, company["company_unique_id"], email=None)
    record = plain_split(folder, [company], [person])
    assert (record.rows("people_good"), record.rows("people_bad")) == (0, 1)
    assert rows_of(folder, "people_bad")[0]["validation_errors"] == ["email_invalid"]


def test_regression_1_all_nulls_are_bad_and_not_lost(folder: StateFolder) -> None:
    record = plain_split(folder, [dict.fromkeys(COMPANY_NEEDS)], [dict.fromkeys(PEOPLE_NEEDS)])
    assert rows_of(folder, "companies_bad")[0]["validation_errors"] == [
        "company_name_missing",
        "website_url_missing",
    ]
    assert rows_of(folder, "people_bad")[0]["validation_errors"] == [
        "email_invalid",
        "title_missing",
        "company_not_valid",
    ]
    assert record.lost == {"companies": 0, "people": 0}


def test_regression_2_a_doubled_company_id_multiplies_nobody(folder: StateFolder) -> None:
    company = good_company(1)
    person = good_person(1, company["company_unique_id"])
    record = plain_split(folder, [company, company, company], [person])
    assert (record.rows("companies_good"), record.rows("people_good")) == (3, 1)
    assert record.company_ids == IdCounts(null=0, doubled=1, malformed=0)


def test_a_person_of_a_company_that_is_good_and_bad_at_once_is_good(folder: StateFolder) -> None:
    company = good_company(1)
    twin = good_company(1, website_url=None)
    record = plain_split(folder, [twin, company], [good_person(1, company["company_unique_id"])])
    assert record.rows("people_good") == 1


def test_a_null_company_id_ties_nobody(folder: StateFolder) -> None:
    record = plain_split(folder, [good_company(1, company_unique_id=None)], [good_person(1, None)])
    assert record.rows("companies_good") == 1
    assert rows_of(folder, "people_bad")[0]["validation_errors"] == ["company_not_valid"]
    assert record.company_ids.null == 1


@pytest.mark.parametrize(
    ("company_id", "malformed"),
    [
        ("04.04.01.42.00042.042", 0),
        ("04.04.01.42.123456.042", 0),
        ("04.04.01.42.0042.042", 1),
        ("04.04.02.42.00042.042", 1),
        ("04.04.01.42.00042.042\n", 1),
        (" 04.04.01.42.00042.042", 1),
        ("", 1),
    ],
)
def test_ids_are_held_against_the_barton_form(
    folder: StateFolder, company_id: str, malformed: int
) -> None:
    record = plain_split(folder, [good_company(1, company_unique_id=company_id)], [])
    assert record.company_ids == IdCounts(null=0, doubled=0, malformed=malformed)


def test_no_rows_give_typed_empty_files(folder: StateFolder) -> None:
    record = plain_split(folder, [], [])
    for table in TABLES:
        found = pq.read_table(folder.table(VERSION, table))
        assert found.num_rows == record.rows(table) == 0
        assert found.schema.field("company_unique_id").type == pa.string()
        assert pa.types.is_list(found.schema.field("validation_errors").type)


def test_a_missing_needed_column_is_named(folder: StateFolder) -> None:
    stored_pull(
        folder,
        VERSION,
        text_table(("company_unique_id", "company_name"), []),
        text_table(PEOPLE_NEEDS, []),
    )
    with pytest.raises(SourceError, match="website_url"):
        split_again(folder)


def test_a_person_id_that_stands_twice_is_not_lost_but_refused(folder: StateFolder) -> None:
    company = good_company(1)
    person = good_person(1, company["company_unique_id"])
    record = plain_split(folder, [company], [person, person])
    passed, message = check_nothing_lost(record)
    assert not passed
    assert message.startswith("0 people have no unique_id and 1 unique_ids stand twice")
    passed, _ = check_nothing_lost(plain_split(folder, [company], [person]))
    assert passed


def test_a_person_without_an_id_is_refused(folder: StateFolder) -> None:
    company = good_company(1)
    record = plain_split(
        folder, [company], [good_person(1, company["company_unique_id"], unique_id=None)]
    )
    passed, message = check_nothing_lost(record)
    assert not passed
    assert message.startswith("1 people have no unique_id")


@pytest.mark.parametrize(("table", "change"), [("people_good", -1), ("companies_bad", 1)])
def test_a_tampered_split_record_does_not_add_up(
    folder: StateFolder, table: str, change: int
) -> None:
    company = good_company(1)
    plain_split(folder, [company], [good_person(1, company["company_unique_id"])])
    path = folder.split_record(VERSION)
    tampered = json.loads(path.read_text())
    tampered["files"][table]["rows"] += change
    path.write_text(json.dumps(tampered))
    passed, message = check_nothing_lost(read_record(path, SplitRecord))
    assert not passed
    entity = table.split("_")[0]
    assert f"{entity}: raw - (good + bad) = {-change}" in message


def test_codes_are_counted_most_frequent_first(folder: StateFolder) -> None:
    bad = [good_company(n, website_url=None) for n in range(3)]
    record = plain_split(folder, [*bad, good_company(9, company_name="-", website_url="x")], [])
    assert list(record.errors["companies"].items()) == [
        ("website_url_missing", 3),
        ("company_name_missing", 1),
        ("website_url_invalid", 1),
    ]


@pytest.mark.parametrize("extra", ["select", "a b", 'q"uote', "ä", "good", "code", "x'y", "%s"])
def test_extra_columns_of_any_name_are_kept(folder: StateFolder, extra: str) -> None:
    row = [*good_company(1).values(), "theirs"]
    run_split(folder, text_table([*COMPANY_NEEDS, extra], [row]), text_table(PEOPLE_NEEDS, []))
    assert rows_of(folder, "companies_good")[0][extra] == "theirs"
