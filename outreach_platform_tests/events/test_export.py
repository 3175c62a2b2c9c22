"""The export of a window: a versioned file, what it says of itself, the link to the newest."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from outreach_platform import __version__
from outreach_platform.events import export as export_module
from outreach_platform.events.records import ExportManifest, Window
from outreach_platform.events.run import EventsRun
from outreach_platform.events.schema import NAMES
from outreach_platform.foundation.errors import IntegrityError, OutreachError, UsageError
from outreach_platform.foundation.lake import read_record, sha256_of
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform_tests.foundation.test_lake import small_disk  # noqa: F401
from outreach_platform_tests.support.event_rows import (
    NOW,
    TABLE,
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
from outreach_platform_tests.support.postgres import execute

OTHER = "c" + "o" * 24
ARROW = {
    **dict.fromkeys(NAMES, "string"),
    "timestamp": "timestamp[us]",
    **dict.fromkeys(
        ("dayOfWeek", "sessionPerformanceScore", "timeOfDay", "randomizationSeed"), "int32"
    ),
}


@pytest.fixture
def url(neon_url: DatabaseUrl) -> DatabaseUrl:
    """An empty source."""
    create_source(neon_url)
    return neon_url


def some_events() -> list[dict[str, Any]]:
    """Two users on three days of a week, several at one time, inserted out of order."""
    moments = [ago(1), ago(3), ago(1, hours=2), ago(3), ago(0, minutes=1), ago(3, hours=1)]
    return [
        event(id=event_id(90 - n), timestamp=moment, userId=(OTHER if n % 2 else "c" + "u" * 24))
        for n, moment in enumerate(moments)
    ]


def taken(
    tmp_path: Path,
    url: DatabaseUrl,
    rows: Sequence[dict[str, Any]] = (),
    days: int = 7,
    **options: Any,
) -> EventsRun:
    """A run whose window of seven days was extracted."""
    insert_events(url, rows)
    run = new_run(tmp_path, url, **options)
    run.extract(window(days))
    return run


def path_of(run: EventsRun, manifest: ExportManifest) -> Path:
    """The export's file."""
    return run.folder.data_dir / manifest.file.path


def rows_of(path: Path) -> list[tuple]:
    """All rows in the order of the file."""
    return duckdb.sql(f"FROM read_parquet({str(path)!r})").fetchall()


def codecs_of(path: Path) -> set[str]:
    """The compression of all column chunks."""
    found = duckdb.sql(f"SELECT DISTINCT compression FROM parquet_metadata({str(path)!r})")
    return {codec for (codec,) in found.fetchall()}


def raw_names(run: EventsRun) -> list[str]:
    """Everything in raw/, hidden files too."""
    return sorted(path.name for path in run.folder.raw.iterdir())


def assert_typed(path: Path) -> None:
    schema = pq.read_schema(path)
    assert tuple(schema.names) == NAMES
    assert {field.name: str(field.type) for field in schema} == ARROW


@pytest.mark.slow
def test_columns_types_and_order(url: DatabaseUrl, tmp_path: Path) -> None:
    events = some_events()
    run = taken(tmp_path, url, events)
    manifest = run.export(window(7))
    path = path_of(run, manifest)
    assert_typed(path)
    assert [row[0] for row in rows_of(path)] == [
        e["id"] for e in sorted(events, key=lambda e: (e["timestamp"], e["id"]))
    ]
    assert manifest.file.rows == len(events)
    assert manifest.file.sha256 == sha256_of(path)
    assert manifest.file.size == path.stat().st_size
    assert (manifest.users, manifest.event_types) == (2, 1)
    assert (manifest.first, manifest.last) == (ago(3, hours=1), ago(0, minutes=1))
    assert manifest == read_record(run.folder.export_manifest(manifest.stamp), ExportManifest)
    assert manifest == run.folder.newest()
    assert manifest == run.folder.exports()[0]
    data = json.loads(rows_of(path)[0][NAMES.index("eventData")])
    assert data == {"cards": 12, "notes": "naïve 李"}


@pytest.mark.parametrize("user_id", [None, OTHER])
def test_no_rows_keep_columns_and_types(
    url: DatabaseUrl, tmp_path: Path, user_id: str | None
) -> None:
    run = taken(tmp_path, url, [event()] if user_id else [])
    manifest = run.export(window(7), user_id)
    assert_typed(path_of(run, manifest))
    assert manifest.file.rows == manifest.users == 0
    assert (manifest.first, manifest.last, manifest.null_phases) == (None, None, 0.0)


@pytest.mark.slow
def test_equal_data_give_equal_files(url: DatabaseUrl, tmp_path: Path) -> None:
    first = taken(tmp_path / "a", url, some_events())
    second = new_run(tmp_path / "b", url, run_id="another", now=NOW + timedelta(minutes=9))
    second.extract(window(7), full=True)
    a, b = first.export(window(7)), second.export(window(7))
    assert a.stamp != b.stamp
    assert a.file.sha256 == b.file.sha256
    assert a.days == b.days
    execute(url, f"""UPDATE "{TABLE}" SET "timeOfDay" = 3 WHERE id = '{event_id(90)}'""")
    second.extract(window(7))
    assert second.export(window(7)).file.sha256 != a.file.sha256


@pytest.mark.slow
def test_the_file_says_what_it_holds(url: DatabaseUrl, tmp_path: Path) -> None:
    run = taken(tmp_path, url, some_events())
    manifest = run.export(window(7))
    path = path_of(run, manifest)
    by_arrow = {k.decode(): v.decode() for k, v in pq.read_metadata(path).metadata.items()}
    by_duckdb = {
        key.decode(): value.decode()
        for key, value in duckdb.sql(
            f"SELECT key, value FROM parquet_kv_metadata({str(path)!r})"
        ).fetchall()
    }
    assert by_arrow == by_duckdb
    checksums = json.loads(by_arrow.pop("outreach.day_checksums"))
    assert by_arrow == {
        "outreach.window": f"{day_ago(6)}/{day_ago(0)}",
        "outreach.filter": "{}",
        "outreach.validation": "strict",
        "outreach.rules_version": manifest.rules_version,
        "outreach.source": "embedded",
        "outreach.code_version": __version__,
    }
    assert list(checksums) == [day_ago(n) for n in range(6, -1, -1)]
    assert checksums == {day: sha256_of(run.folder.day(day)) for day in checksums}
    assert checksums == {day: exported.sha256 for day, exported in manifest.days.items()}


def many_events(url: DatabaseUrl, a_day: int, days: int) -> None:
    """That many events on each of the last days, made by the server."""
    execute(
        url,
        f'INSERT INTO "{TABLE}" (id, "userId", "eventType", "eventData", "timestamp", '
        '"dayOfWeek", "sessionPerformanceScore") '
        "SELECT 'c' || lpad(to_hex(d * 1000000 + i), 24, '0'), 'c' || repeat(chr(97 + i % 9), 24), "
        "'SESSION_ENDED', jsonb_build_object('n', i), m, extract(dow FROM m), i % 101 "
        f"FROM generate_series(0, {days - 1}) d, generate_series(1, {a_day}) i, LATERAL "
        f"(SELECT TIMESTAMP '{NOW:%Y-%m-%d}' - d * INTERVAL '1 day' + i * INTERVAL '5 seconds' m)",
    )


@pytest.mark.slow
def test_joined_and_rewritten_days_hold_the_same_rows(
    url: DatabaseUrl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many_events(url, a_day=4200, days=3)
    run = taken(tmp_path, url, days=3)
    joined = run.export(window(3))
    groups = pq.read_metadata(path_of(run, joined)).num_row_groups
    assert groups == sum(
        pq.read_metadata(run.folder.day(day_ago(n))).num_row_groups for n in range(3)
    )
    monkeypatch.setattr(export_module, "_FEWEST_ROWS_A_DAY", 1 << 40)
    rewritten = run.export(window(3))
    assert pq.read_metadata(path_of(run, rewritten)).num_row_groups < groups
    rows = rows_of(path_of(run, joined))
    assert len(rows) == 3 * 4200
    assert rows == rows_of(path_of(run, rewritten))
    assert rows == sorted(rows, key=lambda row: (row[4], row[0]))
    for manifest in (joined, rewritten):
        assert_typed(path_of(run, manifest))
    kept = [pq.read_metadata(path_of(run, m)).metadata for m in (joined, rewritten)]
    assert kept[0] == kept[1]


@pytest.mark.slow
def test_days_of_several_compressions_are_written_anew(url: DatabaseUrl, tmp_path: Path) -> None:
    many_events(url, a_day=4200, days=6)
    run = taken(tmp_path, url, days=6)
    before = run.export(window(6))
    assert codecs_of(path_of(run, before)) == {"SNAPPY"}
    other = new_run(tmp_path, url, compression="zstd")
    other.extract(window(6))
    assert codecs_of(run.folder.day(day_ago(0))) == {"ZSTD"}
    assert codecs_of(run.folder.day(day_ago(5))) == {"SNAPPY"}
    after = other.export(window(6))
    assert codecs_of(path_of(run, after)) == {"ZSTD"}
    assert (before.compression, after.compression) == ("snappy", "zstd")
    assert rows_of(path_of(run, before)) == rows_of(path_of(run, after))
    assert after.file.size < before.file.size
    other.extract(window(6), full=True)
    assert rows_of(path_of(run, other.export(window(6)))) == rows_of(path_of(run, before))


QUOTED = """o'brien" --"""


@pytest.mark.slow
def test_one_user(url: DatabaseUrl, tmp_path: Path) -> None:
    insert_events(url, [*some_events(), event(userId=QUOTED), event(userId="")])
    run = new_run(tmp_path, url)
    run.extract(window(7), "none")
    everybody = run.export(window(7))
    run.sync()
    synced, database = run.folder.synced.read_bytes(), sha256_of(run.settings.analytics_path)
    for user_id, rows in ((QUOTED, 1), (OTHER, 3), ("", 1), ("nobody", 0)):
        manifest = run.export(window(7), user_id)
        path = path_of(run, manifest)
        assert [row[1] for row in rows_of(path)] == [user_id] * rows
        assert (manifest.user_id, manifest.file.rows) == (user_id, rows)
        said = pq.read_metadata(path).metadata[b"outreach.filter"]
        assert json.loads(said) == {"userId": user_id}
        assert (manifest.previous, manifest.row_delta) == (everybody.stamp, None)
    assert run.folder.latest.readlink() == Path(run.folder.export(everybody.stamp).name)
    assert run.folder.newest() == everybody
    assert len(run.folder.exports()) == 5
    assert run.folder.synced.read_bytes() == synced
    assert sha256_of(run.settings.analytics_path) == database
    assert run.sync().stamp == everybody.stamp


@pytest.mark.slow
def test_stamps_of_one_second_are_unique(url: DatabaseUrl, tmp_path: Path) -> None:
    run = taken(tmp_path, url, [event()])
    stamps = [run.export(window(7)).stamp for _ in range(3)]
    assert stamps == ["20260310_120000", "20260310_120001", "20260310_120002"]
    assert [m.stamp for m in run.folder.exports()] == stamps
    newest = run.folder.newest()
    assert newest is not None
    assert newest.stamp == stamps[-1]
    assert newest.previous == stamps[-2]


_READER = """
import os, sys
link, files = sys.argv[1], set()
print("ready", flush=True)
while not os.path.exists(sys.argv[2]):
    with open(link, "rb") as file:
        content = file.read()
    assert content[:4] == content[-4:] == b"PAR1", "half a file"
    assert not os.path.isabs(os.readlink(link))
    files.add(content)
print(len(files), flush=True)
"""


@pytest.mark.slow
def test_a_reader_never_misses_latest(url: DatabaseUrl, tmp_path: Path) -> None:
    """200 swaps between two exports and a few whole exports, under a reader that never rests."""
    run = taken(tmp_path, url, some_events())
    stamps = [run.export(window(7)).stamp, run.export(window(6)).stamp]
    end = tmp_path / "end"
    reader = subprocess.Popen(
        [sys.executable, "-c", _READER, str(run.folder.latest), str(end)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert reader.stdout is not None
    assert reader.stdout.readline() == "ready\n"
    try:
        for n in range(200):
            export_module._point_latest_at(run.folder, stamps[n % 2])
        for n in range(1, 6):
            run.export(window(n))
    finally:
        end.touch()
        said, problem = reader.communicate(timeout=60)
    assert reader.returncode == 0, problem
    assert int(said) >= 2
    assert not [name for name in raw_names(run) if "partial" in name]


@pytest.mark.slow
def test_latest_can_move_with_its_folder(url: DatabaseUrl, tmp_path: Path) -> None:
    run = taken(tmp_path / "a", url, some_events())
    rows = rows_of(path_of(run, run.export(window(7))))
    shutil.move(tmp_path / "a", tmp_path / "b")
    assert rows_of(new_run(tmp_path / "b", url).folder.latest) == rows


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_latest_is_somebodys_own(url: DatabaseUrl, tmp_path: Path, kind: str) -> None:
    run = taken(tmp_path, url, [event()])
    latest = run.folder.latest
    latest.parent.mkdir(parents=True)
    latest.write_text("mine") if kind == "file" else latest.mkdir()
    with pytest.raises(UsageError, match=r"latest\.parquet is .*not the link .*move it away"):
        run.export(window(7))
    assert raw_names(run) == [latest.name]
    assert run.export(window(7), OTHER).file.rows == 0
    latest.unlink() if kind == "file" else latest.rmdir()
    assert run.export(window(7)) == run.folder.newest()


@pytest.mark.slow
def test_a_dangling_latest_is_replaced(url: DatabaseUrl, tmp_path: Path) -> None:
    run = taken(tmp_path, url, [event()])
    path_of(run, run.export(window(7))).unlink()
    again = run.export(window(7))
    assert (again.previous, again.row_delta) == (None, None)
    assert run.folder.exports() == [again]
    assert rows_of(run.folder.latest)


@pytest.mark.slow
def test_a_day_that_was_never_taken(url: DatabaseUrl, tmp_path: Path) -> None:
    run = new_run(tmp_path, url)
    with pytest.raises(UsageError, match=rf"7 of the 7 days .*\({day_ago(6)} is the first\)"):
        run.export(window(7))
    run.extract(window(3))
    with pytest.raises(UsageError, match=r"4 of the 7 days"):
        run.export(window(7))
    assert not run.folder.raw.exists()
    assert run.export(window(3)).file.rows == 0


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["flipped", "gone", "truncated"])
def test_a_damaged_day_is_found_and_mended(url: DatabaseUrl, tmp_path: Path, damage: str) -> None:
    run = taken(tmp_path, url, [event(timestamp=ago(5))])
    day = run.folder.day(day_ago(5))
    content = day.read_bytes()
    if damage == "flipped":
        day.write_bytes(content[:100] + bytes([content[100] ^ 1]) + content[101:])
    elif damage == "truncated":
        day.write_bytes(content[:-1])
    else:
        day.unlink()
    with pytest.raises(IntegrityError, match=rf"date={day_ago(5)}.* is not the file that was"):
        run.export(window(7))
    assert not run.folder.raw.exists()
    assert run.extract(window(7)).pulled[day_ago(5)] == "damaged"
    assert run.export(window(7)).file.rows == 1


@pytest.mark.slow
def test_a_damaged_manifest_of_a_day_is_mended(url: DatabaseUrl, tmp_path: Path) -> None:
    run = taken(tmp_path, url, [event(timestamp=ago(5))])
    run.folder.manifest(day_ago(5)).write_text('{"day"')
    with pytest.raises(IntegrityError, match="damaged or of another release"):
        run.export(window(7))
    assert run.extract(window(7)).pulled[day_ago(5)] == "missing"
    assert run.export(window(7)).file.rows == 1


@pytest.mark.slow
def test_somebody_elses_exports_are_left_alone(url: DatabaseUrl, tmp_path: Path) -> None:
    run = taken(tmp_path, url, [event()])
    foreign = run.folder.export("20260310_120000")
    foreign.parent.mkdir(parents=True)
    foreign.write_bytes(b"the predecessor's")
    older = run.folder.export("20240101_000000")
    older.write_bytes(b"older")
    run.folder.latest.symlink_to(older)
    assert run.folder.newest() is None
    manifest = run.export(window(7))
    assert (manifest.stamp, manifest.previous) == ("20260310_120001", None)
    assert foreign.read_bytes() == b"the predecessor's"
    assert older.read_bytes() == b"older"
    assert run.folder.exports() == [manifest]


@pytest.mark.slow
def test_what_a_killed_export_left(url: DatabaseUrl, tmp_path: Path) -> None:
    run = taken(tmp_path, url, [event()])
    first = run.export(window(7))
    orphan = run.folder.export_manifest("20260310_115959")
    shutil.copy(run.folder.export_manifest(first.stamp), orphan)
    notes = run.folder.manifests / "notes.json"
    notes.write_text("mine")
    run.export(window(7))
    assert not orphan.exists()
    assert notes.exists()


@pytest.mark.slow
def test_an_export_that_dvc_can_bring_back(url: DatabaseUrl, tmp_path: Path) -> None:
    run = taken(tmp_path, url, [event()])
    first = run.export(window(7))
    path = path_of(run, first)
    content = path.read_bytes()
    path.with_name(f"{path.name}.dvc").write_text("outs: []")
    path.unlink()
    second = run.export(window(7))
    assert second.stamp != first.stamp
    assert run.folder.exports() == [second]
    path.write_bytes(content)
    assert run.folder.exports() == [first, second]


FUTURE = ago(-3)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["non_strict", "none"])
def test_days_that_have_not_come(url: DatabaseUrl, tmp_path: Path, mode: Any) -> None:
    insert_events(url, [event(), event(id=event_id(77, "f"), timestamp=FUTURE)])
    run = new_run(tmp_path, url)
    run.extract(window(7), mode)
    manifest = run.export(window(7))
    assert list(manifest.days)[-1] == FUTURE.date().isoformat()
    assert manifest.file.rows + manifest.quarantined == 2
    assert manifest.quarantined == (mode == "non_strict")
    assert manifest.validation == mode
    past = Window(start=ago(6).date(), end=ago(1).date())
    assert FUTURE.date().isoformat() not in run.export(past).days
    later = new_run(tmp_path, url, now=NOW + timedelta(days=4))
    later.extract(window(10, later.moment))
    strict = later.export(window(10, later.moment))
    # Judged days of which nothing was quarantined are not judged again, and say how they were.
    expected = "strict" if mode == "none" else "non_strict"
    assert (strict.file.rows, strict.quarantined, strict.validation) == (2, 0, expected)


@pytest.mark.slow
def test_events_without_a_time_come_last(neon_url: DatabaseUrl, tmp_path: Path) -> None:
    create_source(neon_url, constraints=False)
    ids = [event_id(n, "z") for n in range(3)]
    rows = [
        event(id=ids[0], timestamp=None),
        event(id=ids[1], timestamp=ago(-2)),
        event(id=ids[2], timestamp=ago(2)),
    ]
    insert_events(neon_url, rows)
    run = new_run(tmp_path, neon_url)
    run.extract(window(7), "none")
    manifest = run.export(window(7))
    assert [row[0] for row in rows_of(path_of(run, manifest))] == [ids[2], ids[1], ids[0]]
    assert (manifest.validation, manifest.rules_version) == ("none", "")


@pytest.mark.slow
def test_the_weakest_judgement_counts(url: DatabaseUrl, tmp_path: Path) -> None:
    run = taken(tmp_path, url, [in_phase("baseline_1"), event(timestamp=ago(0, hours=1))])
    assert run.export(window(7)).validation == "strict"
    run.extract(window(3), "none")
    manifest = run.export(window(7))
    assert manifest.validation == "none"
    assert pq.read_metadata(path_of(run, manifest)).metadata[b"outreach.validation"] == b"none"
    assert run.export(Window(start=ago(6).date(), end=ago(3).date())).validation == "strict"


@pytest.mark.slow
def test_a_full_disk_keeps_the_newest_export(
    url: DatabaseUrl,
    small_disk: Path,  # noqa: F811
) -> None:
    run = taken(small_disk, url, [event()])
    first = run.export(window(7))
    filler = small_disk / "filler"
    free = os.statvfs(small_disk)
    filler.write_bytes(b"x" * free.f_bavail * free.f_bsize)
    with pytest.raises(OutreachError, match="the disk is full"):
        run.export(window(7))
    assert run.folder.newest() == first
    assert sha256_of(run.folder.latest) == first.file.sha256
    filler.unlink()
    second = run.export(window(7))
    assert run.folder.exports() == [first, second]
    assert not list(small_disk.rglob("*.partial"))
