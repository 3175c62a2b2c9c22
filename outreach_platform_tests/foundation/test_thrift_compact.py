"""Thrift's compact protocol: what is read comes back byte for byte, and damage is an error."""

from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outreach_platform.foundation.thrift_compact import (
    BINARY,
    I16,
    I32,
    I64,
    LIST,
    STRUCT,
    Shape,
    Struct,
    as_binary,
    read_struct,
    write_struct,
)

DAMAGE = (ValueError, IndexError)

NUMBERS = st.one_of(
    st.tuples(st.just(I16), st.integers(-(2**15), 2**15 - 1)),
    st.tuples(st.just(I32), st.integers(-(2**31), 2**31 - 1)),
    st.tuples(st.just(I64), st.integers(-(2**63), 2**63 - 1)),
)
LEAVES = st.one_of(
    NUMBERS,
    st.tuples(st.sampled_from([1, 2]), st.none()),
    st.tuples(st.just(3), st.binary(min_size=1, max_size=1)),
    st.tuples(st.just(7), st.binary(min_size=8, max_size=8)),
    st.tuples(st.just(BINARY), st.text(max_size=200).map(as_binary)),
)


def structs(fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Struct]:
    return st.dictionaries(st.integers(-(2**15), 2**15 - 1), fields, max_size=4)


FIELDS = st.recursive(
    LEAVES,
    lambda fields: st.one_of(
        st.tuples(st.just(STRUCT), structs(fields)),
        st.tuples(st.just(LIST), st.lists(structs(fields), max_size=16)),
    ),
    max_leaves=12,
)


def full_shape(fields: Struct) -> Shape:
    """The shape under which everything that can be parsed is."""
    shape: dict[int, Shape] = {}
    for number, (_, value) in fields.items():
        if isinstance(value, dict):
            shape[number] = full_shape(value)
        elif isinstance(value, list):
            merged: dict[int, Shape] = {}
            for item in value:
                merged = merge(merged, full_shape(item))
            shape[number] = merged
    return shape


def merge(one: Shape, other: Shape) -> dict[int, Shape]:
    return {number: merge(one.get(number, {}), other.get(number, {})) for number in {*one, *other}}


def unmixed(fields: Struct) -> bool:
    """Whether no number means a struct in one element of a list and something else in another."""
    try:
        read_struct(write_struct(fields), 0, full_shape(fields))
    except ValueError:
        return False
    return True


@pytest.mark.slow
@settings(max_examples=60)
@given(structs(FIELDS).filter(unmixed))
def test_a_tree_comes_back_as_it_was_parsed_as_deep_as_it_goes(fields: Struct) -> None:
    data = write_struct(fields)
    found, after = read_struct(b"??" + data + b"!", 2, full_shape(fields))
    assert (found, after) == (fields, 2 + len(data))
    assert list(found) == list(fields)


@pytest.mark.slow
@settings(max_examples=60)
@given(structs(FIELDS))
def test_what_is_not_parsed_comes_back_byte_for_byte(fields: Struct) -> None:
    data = write_struct(fields)
    flat, after = read_struct(data, 0, {})
    assert after == len(data)
    assert write_struct(flat) == data


@pytest.mark.slow
@settings(max_examples=60)
@given(structs(FIELDS), st.data())
def test_a_struct_cut_off_anywhere_is_an_error(fields: Struct, draw: st.DataObject) -> None:
    data = write_struct(fields)
    kept = draw.draw(st.integers(0, len(data) - 1))
    for shape in ({}, full_shape(fields)):
        with pytest.raises(DAMAGE):
            read_struct(data[:kept], 0, shape)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_struct_or_a_known_error(data: bytes) -> None:
    try:
        fields, after = read_struct(data, 0, {1: {1: {}}})
    except DAMAGE:
        return
    assert 0 < after <= len(data)
    assert read_struct(write_struct(fields), 0, {1: {1: {}}})[0] == fields


def test_the_encoding_is_thrift_s() -> None:
    """Against bytes worked out by hand from the specification."""
    fields: Struct = {
        1: (I32, 150),
        2: (1, None),
        20: (BINARY, as_binary("ä")),
        21: (LIST, [{}, {1: (I16, -1)}]),
    }
    expected = bytes.fromhex("15ac02 11 0828 02c3a4 19 2c 00 1401 00 00")
    assert write_struct(fields) == expected
    assert read_struct(expected, 0, {21: {}}) == (fields, len(expected))


@pytest.mark.parametrize(
    "damaged",
    [
        pytest.param("1b 00 00", id="a map"),
        pytest.param("15 02 05 02 02 00", id="a field twice"),
        pytest.param("16 ffffffffffffffffffff01 00", id="an integer of eleven bytes"),
        pytest.param("19 f7 ffffffffffffffff7f 00", id="a list without end"),
        pytest.param("18 ff01 00", id="a string past the end"),
    ],
)
def test_damage_is_an_error(damaged: str) -> None:
    with pytest.raises(DAMAGE):
        read_struct(bytes.fromhex(damaged), 0, {})


@pytest.mark.parametrize("field", ["1502", "1824", "1915 02"])
def test_something_else_where_a_struct_is_expected_is_an_error(field: str) -> None:
    with pytest.raises(ValueError, match=r"neither|something else"):
        read_struct(bytes.fromhex(field + "00"), 0, {1: {}})


@pytest.mark.parametrize("writer", ["duckdb", "pyarrow"])
def test_a_real_footer_comes_back_byte_for_byte(tmp_path: Path, writer: str) -> None:
    path = tmp_path / "file.parquet"
    if writer == "duckdb":
        duckdb.sql(
            "SELECT range AS i, 'ä' || range AS s, [range] AS l FROM range(5000)"
        ).write_parquet(str(path), row_group_size=2048)
    else:
        table = pa.table(
            {"i": range(5000), "s": [{"a": [str(i)], "b": i / 7} for i in range(5000)]}
        )
        pq.write_table(table, path, row_group_size=200, write_page_index=True)
    data = path.read_bytes()
    footer = data[-8 - int.from_bytes(data[-8:-4], "little") : -8]
    for shape in (
        {},
        {4: {1: {3: {}}}},
        {2: {}, 4: {1: {3: {12: {}, 13: {}}}, 4: {}}, 5: {}, 7: {}},
    ):
        fields, after = read_struct(footer, 0, shape)
        assert after == len(footer)
        assert write_struct(fields) == footer
