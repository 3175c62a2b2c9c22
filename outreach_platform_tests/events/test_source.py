"""The source's table as found and read: names, schemas, shapes, types, times, one snapshot."""

from datetime import UTC, datetime

import duckdb
import pytest

from outreach_platform.embedded.server import EmbeddedServer
from outreach_platform.events import extract, source
from outreach_platform.events.layout import EventFolder
from outreach_platform.events.records import Extraction, Mode
from outreach_platform.events.schema import COLUMNS, NAMES
from outreach_platform.foundation.errors import SourceError
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform_tests.support.event_rows import (
    NOW,
    ago,
    create_source,
    day_ago,
    event,
    event_id,
    in_phase,
    insert_events,
    new_run,
    window,
)
from outreach_platform_tests.support.postgres import execute, fetch

OTHER = 'CREATE SCHEMA app; ALTER TABLE "BehavioralEvent" SET SCHEMA app'
RENAME = 'ALTER TABLE "BehavioralEvent" RENAME TO behavioral_events'


def with_schema(url: DatabaseUrl, schema: str) -> DatabaseUrl:
    return DatabaseUrl(url.params, schema)


def day_glob(folder: EventFolder) -> str:
    """DuckDB's table of all day files, without the `date` of their folders' names."""
    return f"read_parquet('{folder.lake}/*/events.parquet', hive_partitioning => false)"


def stored(folder: EventFolder, order: str = "id") -> list[dict]:
    """All rows that stand in day files."""
    with duckdb.connect() as engine:
        found = engine.execute(f"SELECT * FROM {day_glob(folder)} ORDER BY {order}")
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def day_files(folder: EventFolder) -> dict[str, bytes]:
    """The bytes of every day and quarantine file, by path."""
    paths = [*folder.lake.glob("*/events.parquet"), *folder.quarantine.rglob("*.parquet")]
    return {path.relative_to(folder.data_dir).as_posix(): path.read_bytes() for path in paths}


def by_both_paths(
    tmp_path, url, monkeypatch, mode: Mode = "strict", days=12, now=NOW
) -> EventFolder:
    """Extract twice, as a whole table and by the server's query; both must give the same bytes."""
    found: dict[str, tuple[Extraction, dict[str, bytes]]] = {}
    for name, share in (("whole", 0.0), ("server", float("inf"))):
        monkeypatch.setattr(source, "_WHOLE_FROM", share)
        run = new_run(tmp_path / name, url, now)
        extraction = run.extract(window(days, now), mode)
        found[name] = extraction, day_files(run.folder)
    monkeypatch.undo()
    (one, files), (other, same) = found["whole"], found["server"]
    assert files == same
    assert (one.rows, one.quarantined, one.errors) == (other.rows, other.quarantined, other.errors)
    return new_run(tmp_path / "whole", url).folder


@pytest.fixture
def events_url(neon_url: DatabaseUrl) -> DatabaseUrl:
    create_source(neon_url)
    return neon_url


# --- found -------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("schema", [None, "public"])
@pytest.mark.parametrize("rename", [False, True])
def test_either_name_is_found(events_url, tmp_path, schema, rename) -> None:
    insert_events(events_url, [event()])
    if rename:
        execute(events_url, RENAME)
    url = events_url if schema is None else with_schema(events_url, schema)
    extraction = new_run(tmp_path, url).extract(window(12))
    name = "behavioral_events" if rename else "BehavioralEvent"
    assert (extraction.table, extraction.rows) == (f'"public"."{name}"', 1)
    assert extraction.notices == []


@pytest.mark.slow
def test_the_schema_of_a_url_is_prismas(events_url: DatabaseUrl) -> None:
    host, dbname = events_url.params["host"], events_url.params["dbname"]
    user = events_url.params["user"]
    url = DatabaseUrl.parse(f"postgresql://{user}@localhost/{dbname}?host={host}&schema=public")
    assert url.schema == "public"
    assert fetch(url, 'SELECT count(*) FROM "BehavioralEvent"') == [(0,)]


@pytest.mark.slow
def test_with_both_names_prismas_is_read_and_the_user_told(events_url, tmp_path) -> None:
    execute(events_url, 'CREATE TABLE behavioral_events AS TABLE "BehavioralEvent"')
    insert_events(events_url, [event()])
    insert_events(events_url, [event(), event()], "behavioral_events")
    extraction = new_run(tmp_path, events_url).extract(window(12))
    assert (extraction.table, extraction.rows) == ('"public"."BehavioralEvent"', 1)
    assert extraction.notices == [
        "public has both BehavioralEvent and behavioral_events; BehavioralEvent is read"
    ]


@pytest.mark.slow
def test_the_only_schema_is_found_without_being_named(events_url, tmp_path) -> None:
    insert_events(events_url, [event()])
    execute(events_url, OTHER)
    extraction = new_run(tmp_path, events_url).extract(window(12))
    assert extraction.table == '"app"."BehavioralEvent"'
    named = new_run(tmp_path / "named", with_schema(events_url, "app")).extract(window(12))
    assert named.table == '"app"."BehavioralEvent"'


@pytest.mark.slow
def test_a_named_schema_without_the_table_is_refused(events_url, tmp_path) -> None:
    run = new_run(tmp_path, with_schema(events_url, "it's"))
    with pytest.raises(SourceError, match=r"has no table BehavioralEvent or .* in schema it's"):
        run.extract(window(12))
    assert "in schema it's" in run.folder.extraction.read_text()


def test_an_empty_database_is_refused(neon_url, tmp_path) -> None:
    with pytest.raises(SourceError, match=r"in any schema that this user may read: check DATABASE"):
        new_run(tmp_path, neon_url).extract(window(12))


@pytest.mark.slow
def test_public_goes_before_other_schemas_and_others_must_be_named(events_url, tmp_path) -> None:
    execute(
        events_url,
        "CREATE SCHEMA app; CREATE SCHEMA old;"
        'CREATE TABLE app."BehavioralEvent" AS TABLE "BehavioralEvent";'
        'CREATE TABLE old.behavioral_events AS TABLE "BehavioralEvent"',
    )
    insert_events(events_url, [event()], namespace="app")
    assert new_run(tmp_path, events_url).extract(window(12)).table == '"public"."BehavioralEvent"'
    execute(events_url, 'DROP TABLE "BehavioralEvent"')
    with pytest.raises(SourceError, match=r"events in the schemas app, old: name one with schema="):
        new_run(tmp_path, events_url).extract(window(12))
    named = new_run(tmp_path / "named", with_schema(events_url, "app")).extract(window(12))
    assert (named.table, named.rows) == ('"app"."BehavioralEvent"', 1)


@pytest.fixture
def reader(pg_server: EmbeddedServer, events_url: DatabaseUrl):
    """A role without any privilege, and its address."""
    role = f"reader_{events_url.params['dbname']}"
    execute(events_url, f'CREATE ROLE "{role}" LOGIN')
    yield DatabaseUrl({**events_url.params, "user": role}), role
    execute(events_url, f'DROP OWNED BY "{role}"; DROP ROLE "{role}"')


@pytest.mark.slow
def test_a_user_without_privilege_is_told(events_url, reader, tmp_path) -> None:
    url, role = reader
    insert_events(events_url, [event()])
    with pytest.raises(SourceError, match=r"that this user may read: .*GRANT SELECT"):
        new_run(tmp_path, url).extract(window(12))
    execute(events_url, f'GRANT SELECT ("id") ON "BehavioralEvent" TO "{role}"')
    with pytest.raises(SourceError, match=r"lacks a privilege"):
        new_run(tmp_path, url).extract(window(12))
    execute(events_url, f'GRANT SELECT ON "BehavioralEvent" TO "{role}"')
    assert new_run(tmp_path, url).extract(window(12)).rows == 1


@pytest.mark.slow
def test_a_closed_schema_does_not_hide_the_open_one(events_url, reader, tmp_path) -> None:
    url, role = reader
    insert_events(events_url, [event()])
    execute(
        events_url,
        'CREATE SCHEMA closed; CREATE TABLE closed."BehavioralEvent" (id text);'
        f'GRANT SELECT ON closed."BehavioralEvent" TO "{role}";'
        f'GRANT SELECT ON "BehavioralEvent" TO "{role}"',
    )
    assert new_run(tmp_path, url).extract(window(12)).table == '"public"."BehavioralEvent"'


# --- shapes ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_view_is_read_and_its_changes_are_seen(events_url, tmp_path) -> None:
    insert_events(events_url, [event(contentType="old"), event(timestamp=ago(8))])
    execute(
        events_url,
        'ALTER TABLE "BehavioralEvent" RENAME TO kept;'
        'CREATE VIEW "BehavioralEvent" AS SELECT * FROM kept',
    )
    run = new_run(tmp_path, events_url)
    assert run.extract(window(12)).rows == 2
    assert set(run.extract(window(12)).pulled.values()) == {"recent"}
    execute(events_url, """UPDATE kept SET "contentType" = 'new' WHERE "contentType" = 'old'""")
    again = run.extract(window(12))
    assert again.pulled[day_ago(5)] == "changed at the source"
    assert day_ago(8) not in again.pulled
    assert stored(run.folder)[0]["contentType"] == "new"


PARTITIONED = """
ALTER TABLE "BehavioralEvent" RENAME TO kept;
CREATE TABLE "BehavioralEvent" (LIKE kept) PARTITION BY RANGE ("timestamp");
CREATE TABLE early PARTITION OF "BehavioralEvent" FOR VALUES FROM (MINVALUE) TO ('2026-02-01');
CREATE TABLE late PARTITION OF "BehavioralEvent" DEFAULT;
"""
INHERITED = """
CREATE TABLE child () INHERITS ("BehavioralEvent");
ANALYZE;
"""


@pytest.mark.slow
def test_a_partitioned_table_is_read_whole(events_url, tmp_path, monkeypatch) -> None:
    execute(events_url, PARTITIONED)
    twice = event_id(1, "p")
    rows = [event(), event(timestamp=ago(60)), event(id=twice), event(id=twice, timestamp=ago(60))]
    insert_events(events_url, rows)
    folder = by_both_paths(tmp_path, events_url, monkeypatch, "none", days=70)
    assert len(stored(folder)) == 4
    with pytest.raises(extract.InvalidEventsError, match="id_not_unique 2"):
        new_run(tmp_path / "strict", events_url).extract(window())
    execute(events_url, f"DELETE FROM late WHERE id = '{twice}'")
    run = new_run(tmp_path / "strict", events_url)
    assert run.extract(window()).rows == 3
    # A row that moves between partitions keeps its day's count only if somebody takes its place.
    execute(
        events_url,
        f"""UPDATE "BehavioralEvent" SET "timestamp" = '{ago(5)}'
        WHERE id = '{twice}'""",
    )
    again = run.extract(window()).pulled
    assert again[day_ago(60)] == again[day_ago(5)] == "changed at the source"


@pytest.mark.slow
def test_rows_of_inheriting_tables_are_read(events_url, tmp_path, monkeypatch) -> None:
    """TimescaleDB keeps all rows in tables that inherit from the one that is asked."""
    execute(events_url, INHERITED)
    insert_events(
        events_url, [event(timestamp=ago(4, minutes=n % 60)) for n in range(3000)], "child"
    )
    twice = event(id=event_id(7, "d"))
    insert_events(events_url, [twice])
    folder = by_both_paths(tmp_path, events_url, monkeypatch)
    assert len(stored(folder)) == 3001
    # The parent's key does not hold its children.
    insert_events(events_url, [twice], "child")
    with pytest.raises(extract.InvalidEventsError, match="id_not_unique 2"):
        new_run(tmp_path / "doubled", events_url).extract(window(12))


FOREIGN = """
CREATE EXTENSION postgres_fdw;
CREATE SERVER there FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '{host}', dbname '{dbname}');
CREATE USER MAPPING FOR CURRENT_USER SERVER there OPTIONS (user '{user}');
ALTER TABLE "BehavioralEvent" RENAME TO kept;
CREATE FOREIGN TABLE "BehavioralEvent" ({columns}) SERVER there OPTIONS (table_name 'kept');
"""


@pytest.mark.slow
def test_a_foreign_table_is_read(events_url, tmp_path, monkeypatch) -> None:
    available = fetch(events_url, "SELECT FROM pg_available_extensions WHERE name = 'postgres_fdw'")
    if not available:
        pytest.skip("the embedded PostgreSQL comes without postgres_fdw")
    types = {"integer": "int", "timestamp": "timestamp(3)", "json": "jsonb"}
    columns = ", ".join(f'"{c.name}" {types.get(c.kind, "text")}' for c in COLUMNS)
    execute(events_url, FOREIGN.format(columns=columns, **events_url.params))
    insert_events(events_url, [event(), event(timestamp=ago(4))], "kept")
    folder = by_both_paths(tmp_path, events_url, monkeypatch)
    assert len(stored(folder)) == 2


# --- columns -----------------------------------------------------------------------------------

LATE = ("experimentPhase", "randomizationSeed", "contextMetadataId")


@pytest.mark.slow
def test_missing_optional_columns_become_typed_nulls_and_a_notice(
    events_url, tmp_path, monkeypatch
) -> None:
    """A freshly migrated database lacks the last three."""
    drop = ", ".join(f'DROP "{name}"' for name in LATE)
    execute(events_url, f'ALTER TABLE "BehavioralEvent" {drop}')
    insert_events(events_url, [{k: v for k, v in event().items() if k not in LATE}])
    folder = by_both_paths(tmp_path, events_url, monkeypatch)
    (row,) = stored(folder)
    assert [row[name] for name in LATE] == [None, None, None]
    with duckdb.connect() as engine:
        described = engine.execute(f"DESCRIBE SELECT * FROM {day_glob(folder)}").fetchall()
    assert [(r[0], r[1]) for r in described] == [(c.name, c.duckdb_type) for c in COLUMNS]
    (notice,) = new_run(tmp_path / "whole", events_url).extract(window(12)).notices
    assert notice == (
        "public.BehavioralEvent has no experimentPhase, randomizationSeed, contextMetadataId: "
        "filled with nulls"
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", [c.name for c in COLUMNS if c.required])
def test_a_missing_required_column_is_refused_by_name(events_url, tmp_path, name) -> None:
    execute(events_url, f'ALTER TABLE "BehavioralEvent" DROP "{name}"')
    with pytest.raises(SourceError, match=f"BehavioralEvent lacks {name}, without which"):
        new_run(tmp_path, events_url).extract(window(12))


@pytest.mark.slow
def test_extra_columns_are_left_out_with_a_notice(events_url, tmp_path, monkeypatch) -> None:
    execute(
        events_url,
        "CREATE TYPE pair AS (a int, b text);"
        'ALTER TABLE "BehavioralEvent" ADD "Device" text, ADD "odd""name" pair, ADD tags text[]',
    )
    insert_events(events_url, [event(Device="phone", tags="{a,b}")])
    folder = by_both_paths(tmp_path, events_url, monkeypatch)
    assert list(stored(folder)[0]) == list(NAMES)
    (notice,) = new_run(tmp_path, events_url).extract(window(12)).notices
    assert notice.endswith('has Device, odd"name, tags, which no event has: left out')


@pytest.mark.slow
def test_columns_that_differ_in_case_alone_are_kept_apart(
    events_url, tmp_path, monkeypatch
) -> None:
    execute(
        events_url,
        "ALTER TABLE \"BehavioralEvent\" ADD userid text DEFAULT 'not this';"
        'CREATE TABLE "BEHAVIORALEVENT" AS TABLE "BehavioralEvent"',
    )
    insert_events(events_url, [event(), event()])
    folder = by_both_paths(tmp_path, events_url, monkeypatch)
    assert {row["userId"] for row in stored(folder)} == {event()["userId"]}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ("timestamp", "date"),
        ("timestamp", "text"),
        ("timestamp", "bigint"),
        ("timestamp", "timestamp(3)[]"),
        ("sessionPerformanceScore", "numeric"),
        ("sessionPerformanceScore", "numeric(5,2)"),
        ("timeOfDay", "time"),
        ("dayOfWeek", "text"),
        ("randomizationSeed", "double precision"),
        ("eventData", "hstore_like"),
        ("eventData", "text[]"),
        ("userId", "text[]"),
        ("contentType", "jsonb"),
    ],
)
def test_a_type_that_cannot_be_an_events_is_refused_by_name(
    events_url, tmp_path, column, kind
) -> None:
    execute(
        events_url,
        "CREATE TYPE hstore_like AS (a text);"
        f'ALTER TABLE "BehavioralEvent" DROP "{column}";'
        f'ALTER TABLE "BehavioralEvent" ADD "{column}" {kind}',
    )
    shown = {"timestamp(3)[]": r"timestamp\(3\) without time zone\[\]", "time": "time without.*"}
    said = shown.get(kind, kind.replace("(", r"\(").replace(")", r"\)").replace("[]", r"\[\]"))
    with pytest.raises(SourceError, match=rf"BehavioralEvent\.{column} is {said}, which cannot be"):
        new_run(tmp_path, events_url).extract(window(12))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("column", "kind", "value", "expected"),
    [
        ("contentType", "char(10)", "ab", "ab"),
        ("contentType", "varchar(10)", "ab ", "ab "),
        ("contentType", "numeric", "1.10", "1.10"),
        ("contentType", "real", "1e20", "1e+20"),
        ("contentType", "boolean", "true", "true"),
        ("contentType", "date", "2026-03-01", "2026-03-01"),
        ("contentType", "uuid", "0" * 8 + "-0000-0000-0000-" + "0" * 12, None),
        ("contentType", "citext_like", "Ab", "Ab"),
        ("dayOfWeek", "smallint", 4, 4),
        ("randomizationSeed", "bigint", 2**31 - 1, 2**31 - 1),
        ("eventData", "json", '{"b" : 1,  "a":2, "a":3}', '{"b" : 1,  "a":2, "a":3}'),
        ("eventData", "text", '{"b" : 1}', '{"b" : 1}'),
        ("eventData", "jsonb", '{"b" : 1, "a":1.10}', '{"a": 1.10, "b": 1}'),
        ("timestamp", "timestamp(6)", f"{ago(5).date()} 11:22:33.123456", None),
        ("timestamp", "timestamp(0)", f"{ago(5).date()} 11:22:33", None),
    ],
)
def test_types_that_can_be_read_give_the_same_by_either_path(
    events_url, tmp_path, monkeypatch, column, kind, value, expected
) -> None:
    execute(
        events_url,
        "CREATE DOMAIN citext_like AS text;"
        f'ALTER TABLE "BehavioralEvent" DROP "{column}";'
        f'ALTER TABLE "BehavioralEvent" ADD "{column}" {kind}',
    )
    insert_events(events_url, [event(**{column: value})])
    folder = by_both_paths(tmp_path, events_url, monkeypatch)
    (row,) = stored(folder)
    got = row[column]
    assert (str(got) if column == "timestamp" else got) == (value if expected is None else expected)


@pytest.mark.slow
def test_a_number_beyond_32_bits_is_refused_by_column(events_url, tmp_path) -> None:
    execute(events_url, 'ALTER TABLE "BehavioralEvent" ALTER "randomizationSeed" TYPE bigint')
    insert_events(events_url, [event(randomizationSeed=2**31)])
    with pytest.raises(SourceError, match=r"randomizationSeed .*32 bits"):
        new_run(tmp_path, events_url).extract(window(12), "non_strict")


# --- times -------------------------------------------------------------------------------------

ZONES = ["UTC", "America/Los_Angeles", "Pacific/Kiritimati"]


def set_on_database(url: DatabaseUrl, setting: str, value: str) -> None:
    execute(url, f"ALTER DATABASE \"{url.params['dbname']}\" SET {setting} = '{value}'")


@pytest.mark.slow
@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("aware", [False, True])
def test_the_utc_day_decides_in_any_zone_of_the_server(
    events_url, tmp_path, monkeypatch, zone, aware
) -> None:
    if aware:
        execute(
            events_url,
            'ALTER TABLE "BehavioralEvent" ALTER "timestamp" TYPE timestamptz(3)',
        )
    suffix = "+00" if aware else ""
    moments = {
        "2024-02-28 23:59:59.999": "2024-02-28",
        "2024-02-29 00:00:00": "2024-02-29",
        "2024-02-29 23:59:59.999": "2024-02-29",
        "2024-03-01 00:00:00": "2024-03-01",
    }
    now = datetime(2024, 3, 4, 1, tzinfo=UTC)
    rows = [event(timestamp=f"{text}{suffix}") for text in moments]
    insert_events(events_url, rows)
    set_on_database(events_url, "timezone", zone)
    folder = by_both_paths(tmp_path, events_url, monkeypatch, now=now)
    with duckdb.connect() as engine:
        found = engine.execute(
            "SELECT strftime(\"timestamp\", '%Y-%m-%d %H:%M:%S.%g'), date::VARCHAR FROM "
            f"read_parquet('{folder.lake}/*/events.parquet', hive_partitioning => true) ORDER BY 1"
        ).fetchall()
    padded = {f"{text:.<19}"[:19] + (text[19:] or ".000"): day for text, day in moments.items()}
    assert dict(found) == padded
    run = new_run(tmp_path / "whole", events_url, now)
    assert set(run.extract(window(12, now)).pulled.values()) == {"recent"}


@pytest.mark.slow
@pytest.mark.parametrize("style", ["German", "SQL, DMY", "Postgres, MDY"])
def test_the_servers_way_to_write_dates_does_not_matter(
    events_url, tmp_path, monkeypatch, style
) -> None:
    insert_events(events_url, [event(timestamp=ago(9)), event()])
    execute(
        events_url,
        f'ALTER DATABASE "{events_url.params["dbname"]}" SET datestyle = {style}',
    )
    folder = by_both_paths(tmp_path, events_url, monkeypatch)
    assert [row["timestamp"] for row in stored(folder, '"timestamp"')] == [ago(9), ago(5)]
    run = new_run(tmp_path / "whole", events_url)
    assert set(run.extract(window(12)).pulled.values()) == {"recent"}


UNDATED_FOLDER = f"date={source.UNDATED}"


@pytest.mark.slow
@pytest.mark.parametrize("aware", [False, True])
@pytest.mark.parametrize("zone", ZONES)
def test_times_that_no_date_has_are_quarantined(
    neon_url, tmp_path, monkeypatch, zone, aware
) -> None:
    create_source(neon_url, constraints=False)
    kind = "timestamptz" if aware else "timestamp"
    execute(neon_url, f'ALTER TABLE "BehavioralEvent" ALTER "timestamp" TYPE {kind}')
    suffix = "+00" if aware else ""
    moments = [
        "infinity", "-infinity", None, f"10000-01-01 00:00:00{suffix}", f"294246-01-01{suffix}",
        f"9999-12-31 23:59:59.999999{suffix}", f"2026-03-10 23:00:00{suffix}",
    ]  # fmt: skip
    insert_events(neon_url, [event(timestamp=moment) for moment in moments])
    insert_events(neon_url, [event()])
    set_on_database(neon_url, "timezone", zone)
    folder = by_both_paths(tmp_path, neon_url, monkeypatch, "non_strict")
    assert len(stored(folder)) == 1
    extraction = new_run(tmp_path / "whole", neon_url).extract(window(12), "non_strict")
    assert extraction.quarantined == len(moments)
    assert extraction.errors == {
        "timestamp_missing": 1, "timestamp_not_future": 5, "timestamp_reasonable": 1,
    }  # fmt: skip
    quarantined = sorted(path.name for path in folder.quarantine.rglob("*.parquet"))
    assert quarantined == [
        "date=2026-03-10.parquet", "date=9999-12-31.parquet", f"{UNDATED_FOLDER}.parquet",
    ]  # fmt: skip
    with pytest.raises(extract.InvalidEventsError, match="timestamp_missing 1"):
        new_run(tmp_path / "whole", neon_url).extract(window(12))


@pytest.mark.slow
def test_undated_rows_that_are_mended_leave_no_quarantine(neon_url, tmp_path) -> None:
    create_source(neon_url, constraints=False)
    insert_events(neon_url, [event(timestamp="infinity"), event(timestamp=None)])
    run = new_run(tmp_path, neon_url)
    assert run.extract(window(12), "non_strict").quarantined == 2
    execute(neon_url, f"""UPDATE "BehavioralEvent" SET "timestamp" = '{ago(5)}'""")
    again = run.extract(window(12), "non_strict")
    assert (again.rows, again.quarantined) == (2, 0)
    assert again.pulled[source.UNDATED] == "changed at the source"
    assert list(run.folder.quarantine.rglob("*.parquet")) == []


# --- one snapshot, all rows --------------------------------------------------------------------


@pytest.mark.slow
def test_a_table_grown_since_it_was_analysed_is_read_whole(
    events_url, tmp_path, monkeypatch
) -> None:
    insert_events(events_url, [event(timestamp=ago(4, seconds=n)) for n in range(500)])
    execute(events_url, 'ANALYZE "BehavioralEvent"')
    execute(
        events_url,
        'ALTER TABLE "BehavioralEvent" SET (autovacuum_enabled = false);'
        "INSERT INTO \"BehavioralEvent\" SELECT 'cg' || lpad(n::text, 23, '0'), \"userId\", "
        '"eventType", "eventData", "timestamp", "completionQuality" FROM '
        "generate_series(1, 60000) n, "
        '(SELECT * FROM "BehavioralEvent" ORDER BY id LIMIT 1) one',
    )
    folder = by_both_paths(tmp_path, events_url, monkeypatch)
    assert len(stored(folder)) == 60500


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.0, float("inf")])
def test_what_commits_after_the_count_is_not_read(events_url, tmp_path, monkeypatch, share) -> None:
    """The parallel connections of a whole scan share the transaction's snapshot."""
    monkeypatch.setattr(source, "_WHOLE_FROM", share)
    insert_events(events_url, [event(timestamp=ago(4, seconds=n)) for n in range(3000)])
    execute(events_url, 'ANALYZE "BehavioralEvent"')
    run, plain = new_run(tmp_path, events_url), extract.needed_days

    def after_the_count(*arguments):
        late = [event(timestamp=ago(4, minutes=n)) for n in range(50)]
        insert_events(events_url, late)
        execute(
            events_url,
            """DELETE FROM "BehavioralEvent" WHERE "timestamp" < '2026-03-06 11:30'
            AND "randomizationSeed" = 42""",
        )
        return plain(*arguments)

    monkeypatch.setattr(extract, "needed_days", after_the_count)
    assert run.extract(window(12)).rows == 3000
    monkeypatch.setattr(extract, "needed_days", plain)
    again = run.extract(window(12))
    assert again.pulled[day_ago(4)] == "changed at the source"
    (now,) = fetch(events_url, 'SELECT count(*) FROM "BehavioralEvent"')
    assert len(stored(run.folder)) == now[0] != 3000


@pytest.mark.slow
def test_awkward_values_arrive_as_they_are(events_url, tmp_path, monkeypatch) -> None:
    deep = {"a": [[[[{"": {"b\"'\n": None}}]]]], "naïve 李 🦊": 1, "$ref": "x", "a.b": [], "__": {}}
    texts = ["it's; DROP TABLE x;--", 'a "quoted"\nline\ttab\\', "", " ", "NULL", "\\N", "🦊"]
    rows = [event(eventData=deep, contentType=text) for text in texts]
    insert_events(events_url, [*rows, in_phase("baseline_1", eventData=[1, 2.50, "x", None])])
    folder = by_both_paths(tmp_path, events_url, monkeypatch)
    expected = fetch(
        events_url,
        'SELECT "contentType", "eventData"::text, "contextMetadataId" '
        'FROM "BehavioralEvent" ORDER BY id',
    )
    got = [(r["contentType"], r["eventData"], r["contextMetadataId"]) for r in stored(folder)]
    assert got == expected


@pytest.mark.slow
def test_no_rows_give_typed_files(events_url, tmp_path, monkeypatch) -> None:
    folder = by_both_paths(tmp_path, events_url, monkeypatch)
    with duckdb.connect() as engine:
        described = engine.execute(f"DESCRIBE SELECT * FROM {day_glob(folder)}").fetchall()
    assert [(r[0], r[1]) for r in described] == [(c.name, c.duckdb_type) for c in COLUMNS]
    assert stored(folder) == []
