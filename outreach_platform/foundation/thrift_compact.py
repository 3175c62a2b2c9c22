"""Thrift's compact protocol, read without declarations and written back byte for byte.

Structs are parsed only as deep as asked for: a Parquet footer has thirty fields a column of which
six matter, and parsing all of them takes four times as long. Source: the specification of the
compact protocol in Apache Thrift. Maps and UUIDs, which Parquet does not use, are refused.
"""

from collections.abc import Mapping
from typing import Any

_TRUE, _FALSE, _BYTE = 1, 2, 3
I16, I32, I64 = 4, 5, 6
_DOUBLE = 7
BINARY = 8
LIST, _SET = 9, 10
STRUCT = 12
_LONG_LIST = 15
_VARINT_BITS = 70

# Numbers of the fields whose struct, or list of structs, is parsed; what is parsed in those.
Shape = Mapping[int, "Shape"]

# Field number to (type, value), in the order of the bytes. An integer is an int; what the shape
# names is a Struct or a list of them; a boolean is None, its type says it all; the rest is bytes
# as they stood, a string with its length before it.
Struct = dict[int, tuple[int, Any]]


def read_struct(data: bytes, at: int, shape: Shape) -> tuple[Struct, int]:
    """Parse the struct that begins at `at`.

    Returns:
        The struct, and the position behind it.

    Raises:
        ValueError, IndexError, RecursionError: the bytes are no such struct, or cut off.
    """
    fields: Struct = {}
    number = 0
    while header := data[at]:
        at += 1
        kind = header & 15
        if header > 15:
            number += header >> 4
        else:
            number, at = _read_integer(data, at)
        if number in fields:
            raise ValueError("a field that is there twice")
        value = None
        if number in shape:
            value, at = _read_parsed(data, at, kind, shape[number])
        elif I16 <= kind <= I64:
            value, at = _read_integer(data, at)
        elif kind > _FALSE:
            start, at = at, _skip(data, at, kind)
            value = data[start:at]
        fields[number] = (kind, value)
    return fields, at + 1


def _read_parsed(
    data: bytes, at: int, kind: int, shape: Shape
) -> tuple[Struct | list[Struct], int]:
    if kind == STRUCT:
        return read_struct(data, at, shape)
    if kind != LIST:
        raise ValueError("neither a struct nor a list")
    element, size, at = _read_list_header(data, at)
    if size and element != STRUCT:
        raise ValueError("a list of something else")
    structs = []
    for _ in range(size):
        fields, at = read_struct(data, at, shape)
        structs.append(fields)
    return structs, at


def _read_list_header(data: bytes, at: int) -> tuple[int, int, int]:
    """Type of the elements, their number, and the position of the first."""
    header = data[at]
    at += 1
    size = header >> 4
    if size == _LONG_LIST:
        size, at = _read_varint(data, at)
    # An element takes a byte at least: a damaged number must not keep us busy for hours.
    if size > len(data) - at:
        raise ValueError("a list that is cut off")
    return header & 15, size, at


def _read_integer(data: bytes, at: int) -> tuple[int, int]:
    raw = data[at]
    at += 1
    if raw > 127:
        raw, at = _read_varint(data, at - 1)
    return (raw >> 1) ^ -(raw & 1), at


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, _VARINT_BITS, 7):
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise ValueError("an integer that is too long")


def _skip(data: bytes, at: int, kind: int) -> int:
    """The position behind a value; behind the end of `data` where that is cut off."""
    if kind == BINARY:
        length, at = _read_varint(data, at)
        return at + length
    if I16 <= kind <= I64:
        return _read_varint(data, at)[1]
    if kind == STRUCT:
        return _skip_struct(data, at)
    if kind in (LIST, _SET):
        element, size, at = _read_list_header(data, at)
        for _ in range(size):
            at = _skip(data, at, element)
        return at
    if kind == _DOUBLE:
        return at + 8
    if _TRUE <= kind <= _BYTE:
        return at + 1
    raise ValueError("a type that is unknown")


def _skip_struct(data: bytes, at: int) -> int:
    # Half of a footer is statistics, skipped here: the commonest cases take no call.
    while header := data[at]:
        at += 1
        kind = header & 15
        if header < 16:
            at = _skip(data, at, I16)
        if kind == BINARY and (length := data[at]) < 128:
            at += 1 + length
        elif I16 <= kind <= I64 and data[at] < 128:
            at += 1
        elif kind > _FALSE:
            at = _skip(data, at, kind)
    return at + 1


def write_struct(fields: Struct) -> bytes:
    """The bytes that `read_struct` parses into these fields."""
    out = bytearray()
    _write(out, fields)
    return bytes(out)


def _write(out: bytearray, fields: Struct) -> None:
    last = 0
    for number, (kind, value) in fields.items():
        if 0 < number - last < 16:
            out.append((number - last) << 4 | kind)
        else:
            out.append(kind)
            _write_varint(out, _zigzag(number))
        last = number
        if isinstance(value, bytes):
            out += value
        elif isinstance(value, int):
            _write_varint(out, _zigzag(value))
        elif isinstance(value, dict):
            _write(out, value)
        elif isinstance(value, list):
            _write_list(out, value)
    out.append(0)


def _write_list(out: bytearray, structs: list[Struct]) -> None:
    if len(structs) < _LONG_LIST:
        out.append(len(structs) << 4 | STRUCT)
    else:
        out.append(_LONG_LIST << 4 | STRUCT)
        _write_varint(out, len(structs))
    for fields in structs:
        _write(out, fields)


def _zigzag(value: int) -> int:
    return value << 1 if value >= 0 else ~(value << 1)


def _write_varint(out: bytearray, value: int) -> None:
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)


def as_binary(text: str) -> bytes:
    """A string as the value of a field of type `BINARY`: its length, then UTF-8."""
    raw = text.encode()
    out = bytearray()
    _write_varint(out, len(raw))
    return bytes(out + raw)
