"""What cannot be joined as bytes is refused, by name and before anything is written."""

import random
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outreach_platform.foundation import parquet_concat
from outreach_platform.foundation.parquet_concat import CannotConcatenate, concat_parquet
from outreach_platform.foundation.thrift_compact import BINARY, STRUCT, Struct, as_binary
from outreach_platform_tests.foundation.test_parquet_concat import (
    arrow_day,
    chunks,
    day,
    with_footer,
)


def require_refused(sources: list[Path], culprit: Path, reason: str) -> None:
    target = culprit.with_name("target")
    with pytest.raises(CannotConcatenate) as caught:
        concat_parquet(sources, target, metadata={})
    assert str(culprit) in str(caught.value)
    assert reason in str(caught.value)
    assert not target.exists()


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return day(tmp_path / "good.parquet", 0, 50)


def test_no_sources(tmp_path: Path) -> None:
    with pytest.raises(CannotConcatenate, match="no Parquet file"):
        concat_parquet([], tmp_path / "target", metadata={})


SELECT = "SELECT 1 AS a, 'x' AS b"


@pytest.mark.parametrize(
    "other",
    [
        pytest.param("SELECT 1::BIGINT AS a, 'x' AS b", id="type"),
        pytest.param("SELECT 1 AS a, 'x'::BLOB AS b", id="logical type"),
        pytest.param("SELECT 1 AS a, 'x' AS c", id="name"),
        pytest.param("SELECT 'x' AS b, 1 AS a", id="order"),
        pytest.param("SELECT 1 AS a, 'x' AS b, 2 AS c", id="another column"),
        pytest.param("SELECT 1 AS a", id="a column less"),
    ],
)
def test_other_columns(tmp_path: Path, other: str) -> None:
    paths = [tmp_path / "one", tmp_path / "same", tmp_path / "other"]
    for path, query in zip(paths, (SELECT, SELECT, other), strict=True):
        duckdb.sql(query).write_parquet(str(path))
    require_refused(paths, paths[2], "its columns are not those of")
    assert concat_parquet(paths[:2], tmp_path / "target", metadata={}) == 2


def test_other_nullability(tmp_path: Path) -> None:
    paths = [tmp_path / "one", tmp_path / "other"]
    for path, nullable in zip(paths, (True, False), strict=True):
        schema = pa.schema([pa.field("a", pa.int64(), nullable=nullable)])
        pq.write_table(pa.table({"a": [1]}, schema=schema), path)
    require_refused(paths, paths[1], "its columns are not those of")


def test_other_column_orders(good: Path, tmp_path: Path) -> None:
    other = with_footer(day(tmp_path / "other", 0, 50), lambda fields: fields.pop(7))
    require_refused([good, other], other, "its columns are not those of")


def test_every_cut(tmp_path: Path) -> None:
    cut = tmp_path / "cut"
    duckdb.sql(SELECT).write_parquet(str(cut))
    data = cut.read_bytes()
    for size in range(len(data)):
        cut.write_bytes(data[:size])
        require_refused([cut], cut, "cannot be joined")


def test_a_body_that_lost_bytes(good: Path, tmp_path: Path) -> None:
    data = good.read_bytes()
    (bad := tmp_path / "bad").write_bytes(data[:4] + data[200:])
    require_refused([good, bad], bad, "cannot be joined")


@pytest.mark.parametrize(
    "content",
    [b"", b"PAR1", b"PAR1PAR1", b"id,name\n1,x\n", b"PAR1\x00\x00\x00\x00PAR1", b"\x00" * 100],
)
def test_other_kinds_of_file(good: Path, tmp_path: Path, content: bytes) -> None:
    (bad := tmp_path / "bad").write_bytes(content)
    require_refused([bad, good], bad, "cannot be joined")


def test_a_missing_file_and_a_folder(good: Path, tmp_path: Path) -> None:
    require_refused([good, tmp_path / "none"], tmp_path / "none", "No such file")
    (folder := tmp_path / "folder").mkdir()
    require_refused([folder], folder, "Is a directory")


def test_encrypted_footers(good: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad"
    # The real cipher needs an extension; only the file's form matters here.
    with duckdb.connect() as connection:
        connection.execute("SET force_mbedtls_unsafe = true")
        connection.execute("PRAGMA add_parquet_key('k', '0123456789112345')")
        options = "FORMAT parquet, ENCRYPTION_CONFIG {footer_key: 'k'}"
        connection.execute(f"COPY ({SELECT}) TO '{bad}' ({options})")
    assert bad.read_bytes()[-4:] == b"PARE"
    require_refused([good, bad], bad, "it is encrypted")


def first_chunk(fields: Struct) -> Struct:
    return fields[4][1][0][1][1][0]


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda fields: fields.update({8: (STRUCT, {})}), "encrypted or signed"),
        (lambda fields: fields.update({9: (BINARY, as_binary("k"))}), "encrypted or signed"),
        (lambda fields: first_chunk(fields).update({8: (STRUCT, {})}), "is encrypted"),
        (lambda fields: first_chunk(fields).update({1: (BINARY, as_binary("x"))}), "another file"),
        (lambda fields: first_chunk(fields).pop(3), "damaged"),
        (lambda fields: first_chunk(fields)[3][1].pop(9), "damaged"),
        (lambda fields: first_chunk(fields)[3][1].update({9: (6, 3)}), "outside"),
        (lambda fields: first_chunk(fields)[3][1].update({14: (6, 1 << 40)}), "outside"),
        (lambda fields: first_chunk(fields)[3][1].update({7: (6, 1 << 40)}), "cut off"),
        (lambda fields: first_chunk(fields).update({4: (6, -8)}), "outside"),
        (lambda fields: fields[4][1][0].update({5: (6, 1 << 40)}), "outside"),
        (lambda fields: fields.update({3: (6, 51)}), "damaged"),
        (lambda fields: fields.update({3: (8, as_binary("x"))}), "damaged"),
        (lambda fields: fields.pop(4), "damaged"),
        (lambda fields: fields.pop(2), "damaged"),
    ],
)
def test_footers_that_cannot_move(
    good: Path, tmp_path: Path, edit: Callable[[Struct], object], reason: str
) -> None:
    bad = with_footer(day(tmp_path / "bad", 0, 50), edit)
    require_refused([good, bad], bad, reason)


def test_a_file_that_names_others(tmp_path: Path) -> None:
    metadata: list[pq.FileMetaData] = []
    table = pa.table({"i": [1]})
    pq.write_to_dataset(table, tmp_path / "set", metadata_collector=metadata)
    pq.write_metadata(table.schema, tmp_path / "_metadata", metadata)
    require_refused([tmp_path / "_metadata"], tmp_path / "_metadata", "another file")


def test_a_damaged_page_index(tmp_path: Path) -> None:
    bad = arrow_day(tmp_path / "bad", 0)
    at = chunks(bad)[0][4][1]
    data = bytearray(bad.read_bytes())
    data[at] = 0xFF
    bad.write_bytes(data)
    with pytest.raises(CannotConcatenate, match="damaged"):
        concat_parquet([bad], tmp_path / "target", metadata={})


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_damaged_footer_is_refused_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, draw: st.DataObject
) -> None:
    folder = tmp_path_factory.getbasetemp()
    source = arrow_day(folder / "damaged", 0, 20)
    data = bytearray(source.read_bytes())
    length = int.from_bytes(data[-8:-4], "little")
    for _ in range(draw.draw(st.integers(1, 3))):
        data[-1 - draw.draw(st.integers(4, length + 7))] = draw.draw(st.integers(0, 255))
    source.write_bytes(data)
    try:
        concat_parquet([source], folder / "target", metadata={})
    except CannotConcatenate as error:
        assert str(source) in str(error)


def test_a_source_that_changed_meanwhile(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = day(tmp_path / "other", 50, 50)
    judge = parquet_concat._require_one_schema

    def and_replace(parts: list[parquet_concat._Source]) -> None:
        judge(parts)
        day(tmp_path / "new", 50, 60).replace(other)

    monkeypatch.setattr(parquet_concat, "_require_one_schema", and_replace)
    with pytest.raises(CannotConcatenate, match="changed meanwhile"):
        concat_parquet([good, other], tmp_path / "target", metadata={})


def test_the_target_is_none_of_the_sources(good: Path, tmp_path: Path) -> None:
    before = good.read_bytes()
    (link := tmp_path / "link").symlink_to(good)
    for target in (good, link):
        with pytest.raises(CannotConcatenate, match="one of the files to join"):
            concat_parquet([good], target, metadata={})
    assert good.read_bytes() == before


def test_what_the_target_s_disk_says_is_not_the_sources_fault(good: Path, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left"):
        concat_parquet([good], Path("/dev/full"), metadata={})
    with pytest.raises(FileNotFoundError):
        concat_parquet([good], tmp_path / "none" / "target", metadata={})


@pytest.mark.slow
def test_memory_does_not_follow_the_data(tmp_path: Path) -> None:
    source = tmp_path / "big"
    blob = random.Random(1).randbytes(1 << 20)
    pq.write_table(pa.table({"b": [blob] * 20}), source, use_dictionary=False, compression="none")
    assert source.stat().st_size > 20 << 20
    tracemalloc.start()
    try:
        concat_parquet([source] * 2, tmp_path / "target", metadata={})
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()
