"""Parquet files joined as bytes: both engines read what they read from the parts."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outreach_platform.foundation.parquet_concat import concat_parquet
from outreach_platform.foundation.thrift_compact import (
    I16,
    STRUCT,
    Struct,
    as_binary,
    read_struct,
    write_struct,
)

DAY = """SELECT i, 'name ' || ({first} + i % 9) AS name, uuid()::VARCHAR AS id,
    TIMESTAMP '2026-01-01' + to_minutes(i) AS moment, CASE WHEN i % 3 = 0 THEN i % 50 END AS score,
    [{{'a': i, 'b': CASE WHEN i % 2 = 0 THEN 'ü' || i END}}, NULL] AS list, MAP {{'k': [i]}} AS map
    FROM range({first}, {first} + {rows}) t(i)"""
BLOOM = {"name": {"ndv": 50, "fpp": 0.001}}


def day(path: Path, first: int, rows: int = 5000, **options: Any) -> Path:
    options = {"row_group_size": 2048, "compression": "snappy", **options}
    duckdb.sql(DAY.format(first=first, rows=rows)).write_parquet(str(path), **options)
    return path


def arrow_day(path: Path, first: int, rows: int = 3000, **options: Any) -> Path:
    """A file with page indexes of many pages, bloom filters and ordinals."""
    table = duckdb.sql(DAY.format(first=first, rows=rows)).to_arrow_table()
    small = {"row_group_size": 1000, "data_page_size": 500, "write_batch_size": 100}
    indexed = {"write_page_index": True, "bloom_filter_options": BLOOM}
    pq.write_table(table, path, **{**small, **indexed, **options})
    return path


def footer_of(path: Path) -> Struct:
    data = path.read_bytes()
    length = int.from_bytes(data[-8:-4], "little")
    return read_struct(data[-8 - length : -8], 0, {2: {}, 4: {1: {3: {}}}, 5: {}})[0]


def with_footer(path: Path, edit: Callable[[Struct], object]) -> Path:
    """The file with another footer."""
    data, fields = path.read_bytes(), footer_of(path)
    body = data[: -8 - int.from_bytes(data[-8:-4], "little")]
    edit(fields)
    footer = write_struct(fields)
    path.write_bytes(body + footer + len(footer).to_bytes(4, "little") + b"PAR1")
    return path


def groups(path: Path) -> list[Struct]:
    return footer_of(path)[4][1]


def chunks(path: Path) -> list[Struct]:
    return [chunk for group in groups(path) for chunk in group[1][1]]


def joined(sources: list[Path], target: Path, **metadata: str) -> Path:
    rows = concat_parquet(sources, target, metadata=metadata)
    assert rows == sum(pq.read_metadata(path).num_rows for path in sources)
    return target


def require_same_rows(sources: list[Path], target: Path) -> None:
    parts = [pq.read_table(path) for path in sources]
    assert pq.read_table(target).equals(pa.concat_tables(parts))
    assert pq.read_metadata(target).num_rows == sum(map(len, parts))
    read = [duckdb.read_parquet(str(path)).fetchall() for path in sources]
    assert duckdb.read_parquet(str(target)).fetchall() == list(itertools.chain(*read))


def pieces(path: Path) -> list[list[object]]:
    """All that the footer points to, by chunk: the bytes, wherever they stand."""
    data, found = path.read_bytes(), []
    for chunk in chunks(path):
        meta = chunk[3][1]
        first = meta[11][1] if 11 in meta else meta[9][1]
        piece: list[object] = [data[first : first + meta[7][1]], meta[9][1] - first, meta[12]]
        if 14 in meta:
            piece.append(data[meta[14][1] :][: meta[15][1] if 15 in meta else 32])
        if 6 in chunk:
            piece.append(data[chunk[6][1] :][: chunk[7][1]])
        found.append(piece)
    return found


def pages(path: Path) -> list[tuple[bytes, int]]:
    """Each page that an offset index names, proven to be one: its bytes and first row."""
    data, found = path.read_bytes(), []
    for chunk in chunks(path):
        index, after = read_struct(data[chunk[4][1] :], 0, {1: {}})
        assert after == chunk[5][1]
        for location in index[1][1]:
            start, size = location[1][1], location[2][1]
            header, length = read_struct(data[start : start + size], 0, {})
            assert header[1][1] in (0, 3), "not a data page"
            assert length + header[3][1] == size
            found.append((data[start : start + size], location[3][1]))
    return found


@pytest.fixture
def days(tmp_path: Path) -> list[Path]:
    return [
        day(tmp_path / "0.parquet", 0),
        day(tmp_path / "1.parquet", 5000, 10, compression="zstd"),
        day(tmp_path / "2.parquet", 5010, 9000),
    ]


@pytest.fixture
def arrow_days(tmp_path: Path) -> list[Path]:
    codecs = ["snappy", "zstd", "none"]
    return [
        arrow_day(tmp_path / f"{n}.parquet", 3000 * n, compression=codec)
        for n, codec in enumerate(codecs)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["days", "arrow_days"])
def test_rows_statistics_and_bytes_are_the_parts(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    sources = request.getfixturevalue(kind)
    target = joined(sources, tmp_path / "all.parquet")
    require_same_rows(sources, target)
    expected = [piece for path in sources for piece in pieces(path)]
    assert len(groups(target)) == sum(len(groups(path)) for path in sources) > len(sources)
    assert pieces(target) == expected
    assert all(len(piece) > 3 for piece in expected if kind == "arrow_days")


@pytest.mark.parametrize("kind", ["days", "arrow_days"])
def test_filters_that_hit_one_row_group_find_their_rows(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    sources = request.getfixturevalue(kind)
    target = joined(sources, tmp_path / "all.parquet")
    for wanted in (0, 2999, 3000, 5005, 8999):
        found = duckdb.sql(f"SELECT i, moment FROM '{target}' WHERE i = {wanted}").fetchall()
        assert [row[0] for row in found] == [wanted]
        at = duckdb.sql(f"SELECT i FROM '{target}' WHERE moment = TIMESTAMP '{found[0][1]}'")
        assert at.fetchall() == [(wanted,)]
        table = pq.read_table(target, filters=[("i", "=", wanted)])
        assert table["i"].to_pylist() == [wanted]


def test_row_group_offsets_lead_to_their_first_page(days: list[Path], tmp_path: Path) -> None:
    target = joined(days, tmp_path / "all.parquet")
    firsts = []
    for group in groups(target):
        meta = group[1][1][0][3][1]
        firsts.append(min(meta[number][1] for number in (9, 11) if number in meta))
    assert [group[5][1] for group in groups(target)] == firsts == sorted(set(firsts))
    # 0 says that there is none, and stays.
    assert {chunk[2][1] for chunk in chunks(target)} == {0}


def test_offsets_that_our_writers_leave_out_move_too(tmp_path: Path) -> None:
    def add(fields: Struct) -> None:
        chunk = fields[4][1][0][1][1][0]
        meta = chunk[3][1]
        chunk[2] = meta[9]
        chunk[3] = (STRUCT, dict(sorted({**meta, 10: meta[9]}.items())))

    sources = [with_footer(day(tmp_path / f"{n}", n, 10), add) for n in range(2)]
    second = chunks(joined(sources, tmp_path / "all.parquet"))[len(chunks(sources[0]))]
    meta = second[3][1]
    assert meta[10] == meta[9] == second[2]
    assert meta[9] != chunks(sources[1])[0][3][1][9]


def test_bloom_filters_exclude_the_groups_that_lack_a_value(
    days: list[Path], tmp_path: Path
) -> None:
    target = joined(days, tmp_path / "all.parquet")
    parts = f"read_parquet({[str(path) for path in days]})"
    probe = "SELECT bloom_filter_excludes FROM parquet_bloom_probe('{}', 'name', '{}')"
    for name in ("name 3", "name 5002", "name 5013", "name 999999"):
        expected = [row for path in days for row in duckdb.sql(probe.format(path, name)).fetchall()]
        assert duckdb.sql(probe.format(target, name)).fetchall() == expected
        assert (True,) in expected
        count = f"SELECT count(*), min(i), max(i) FROM {{}} WHERE name = '{name}'"
        whole = duckdb.sql(count.format(f"'{target}'")).fetchall()
        assert whole == duckdb.sql(count.format(parts)).fetchall()


def test_page_indexes_name_the_pages_they_named(arrow_days: list[Path], tmp_path: Path) -> None:
    target = joined(arrow_days, tmp_path / "all.parquet")
    expected = [page for path in arrow_days for page in pages(path)]
    assert len(expected) > 2 * len(chunks(target)), "one page a chunk proves little"
    assert pages(target) == expected


def test_a_joined_file_can_be_joined_again(arrow_days: list[Path], tmp_path: Path) -> None:
    first = joined(arrow_days[:2], tmp_path / "first.parquet")
    target = joined([first, arrow_days[2]], tmp_path / "all.parquet")
    require_same_rows(arrow_days, target)
    assert pages(target) == [page for path in arrow_days for page in pages(path)]


def with_ordinals(path: Path) -> Path:
    def number(fields: Struct) -> None:
        for ordinal, group in enumerate(fields[4][1]):
            group[7] = (I16, ordinal)

    return with_footer(path, number)


def test_ordinals_are_counted_on(days: list[Path], tmp_path: Path) -> None:
    sources = [with_ordinals(days[0]), days[1], with_ordinals(days[2])]
    found = groups(joined(sources, tmp_path / "all.parquet"))
    first, last = len(groups(days[0])), len(found)
    expected = [*range(first), *range(first + 1, last)]
    assert [group[7] for group in found if 7 in group] == [(I16, each) for each in expected]


@pytest.mark.slow
def test_ordinals_that_do_not_fit_are_left_out(tmp_path: Path) -> None:
    source = tmp_path / "many.parquet"
    pq.write_table(pa.table({"i": range(16400)}), source, row_group_size=1)
    with_ordinals(source)
    found = groups(joined([source, source], tmp_path / "all.parquet"))
    assert [group[7][1] for group in found if 7 in group] == list(range(1 << 15))
    assert len(found) == 32800


@pytest.mark.parametrize("rows", [(0, 0), (0, 7, 0), (7, 0, 0, 8)])
@pytest.mark.parametrize("write", [day, arrow_day])
def test_empty_parts_keep_the_columns(write: Any, rows: tuple[int, ...], tmp_path: Path) -> None:
    sources = [write(tmp_path / f"{n}", n, size) for n, size in enumerate(rows)]
    target = joined(sources, tmp_path / "all.parquet")
    require_same_rows(sources, target)
    assert footer_of(target)[2] == footer_of(sources[0])[2]


def test_metadata_is_ours_and_sorted(days: list[Path], tmp_path: Path) -> None:
    wanted = {"z": "", "ключ": "значение 🦆" * 40_000, "a": "1"}
    target = joined([arrow_day(tmp_path / "arrow", 1)], tmp_path / "t", **wanted)
    found = pq.read_metadata(target).metadata
    assert {key.decode(): value.decode() for key, value in found.items()} == wanted
    pairs = footer_of(target)[5][1]
    assert [pair[1][1] for pair in pairs] == [as_binary(key) for key in sorted(wanted)]
    assert len(duckdb.sql(f"FROM parquet_kv_metadata('{target}')").fetchall()) == 3
    assert pq.read_metadata(joined(days, tmp_path / "t")).metadata is None


def test_equal_parts_give_equal_bytes(days: list[Path], tmp_path: Path) -> None:
    one = joined(days, tmp_path / "one", a="1", b="2")
    other = joined(days, tmp_path / "other", b="2", a="1")
    assert one.read_bytes() == other.read_bytes()
    assert joined(days[::-1], tmp_path / "back", a="1", b="2").read_bytes() != one.read_bytes()
    assert all(footer_of(one)[number] == footer_of(days[0])[number] for number in (1, 6))


COLUMNS = {
    "i": st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
    "s": st.one_of(st.none(), st.text(st.characters(codec="utf-8"), max_size=40)),
    "l": st.one_of(st.none(), st.lists(st.one_of(st.none(), st.booleans()), max_size=3)),
}
TYPES = pa.schema({"i": pa.int64(), "s": pa.string(), "l": pa.list_(pa.bool_())})
FILES = st.tuples(
    st.lists(st.fixed_dictionaries(COLUMNS), max_size=12),
    st.fixed_dictionaries(
        {
            "row_group_size": st.integers(1, 5),
            "compression": st.sampled_from(["none", "snappy", "zstd"]),
            "use_dictionary": st.booleans(),
            "write_page_index": st.booleans(),
            "data_page_version": st.sampled_from(["1.0", "2.0"]),
            "write_statistics": st.booleans(),
        }
    ),
)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.lists(FILES, min_size=1, max_size=4))
def test_any_files_come_back(
    tmp_path_factory: pytest.TempPathFactory, files: list[tuple[list[dict], dict[str, Any]]]
) -> None:
    folder = tmp_path_factory.mktemp("files")
    sources = [folder / str(number) for number in range(len(files))]
    for path, (rows, options) in zip(sources, files, strict=True):
        pq.write_table(pa.Table.from_pylist(rows, schema=TYPES), path, **options)
    require_same_rows(sources, joined(sources, folder / "all"))
