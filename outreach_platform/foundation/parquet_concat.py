"""Join Parquet files by copying their row groups as bytes: nothing is decoded, nothing re-encoded.

Only the footers are parsed, and whatever they hold that is not changed here is carried along. The
offsets in them are absolute and move with the bytes. So do those in the offset indexes, which are
therefore written anew behind the body that they describe. Pages, dictionaries, bloom filters and
column indexes hold none and are copied as they are. Source: Apache Parquet's parquet.thrift.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from outreach_platform.foundation.errors import OutreachError
from outreach_platform.foundation.thrift_compact import (
    BINARY,
    I16,
    I32,
    I64,
    LIST,
    Shape,
    Struct,
    as_binary,
    read_struct,
    write_struct,
)

_MAGIC = b"PAR1"
_ENCRYPTED = b"PARE"
_TAIL = 8
_BLOCK = 1 << 20

# Field numbers of parquet.thrift.
_FILE_SCHEMA, _FILE_ROWS, _FILE_GROUPS, _FILE_METADATA, _FILE_ORDERS = 2, 3, 4, 5, 7
_FILE_ENCRYPTION, _FILE_SIGNATURE = 8, 9
_GROUP_CHUNKS, _GROUP_ROWS, _GROUP_OFFSET, _GROUP_ORDINAL = 1, 3, 5, 7
_CHUNK_PATH, _CHUNK_OFFSET, _CHUNK_META = 1, 2, 3
_CHUNK_PAGES, _CHUNK_PAGES_LENGTH, _CHUNK_COLUMN_INDEX = 4, 5, 6
_CHUNK_CRYPTO, _CHUNK_ENCRYPTED_META = 8, 9
_META_SIZE, _META_DATA, _META_INDEX, _META_DICTIONARY, _META_BLOOM = 7, 9, 10, 11, 14
_INDEX_PAGES, _PAGE_OFFSET, _KEY, _VALUE = 1, 1, 1, 2
_MOST_ORDINALS = 1 << 15

_CHUNK_MOVED = (_CHUNK_OFFSET, _CHUNK_COLUMN_INDEX)
_META_MOVED = (_META_DATA, _META_INDEX, _META_DICTIONARY, _META_BLOOM)

_FOOTER: Shape = {_FILE_GROUPS: {_GROUP_CHUNKS: {_CHUNK_META: {}}}}
_OFFSET_INDEX: Shape = {_INDEX_PAGES: {}}


class CannotConcatenate(OutreachError):
    """A file cannot be joined as it is; its rows have to be decoded and written again."""


class _UnfitError(Exception):
    """Why a file cannot be joined."""


@dataclass(frozen=True)
class _Source:
    """A file that can be joined.

    Attributes:
        footer: parsed as deep as `_FOOTER`.
        end: where the footer begins; what moves stands between the leading magic and here.
        state: what tells whether it is still the same file.
    """

    path: Path
    footer: Struct
    end: int
    state: tuple[int, int, int]


def concat_parquet(sources: Sequence[Path], target: Path, *, metadata: Mapping[str, str]) -> int:
    """Write the row groups of `sources`, in that order, into one file.

    Equal sources and metadata give equal bytes. Memory follows the footers, not the data. Format
    version and writer are the first file's. Key-value metadata of the sources is dropped, and with
    it what Arrow keeps there about types that Parquet does not have.

    Args:
        sources: files of one schema.
        target: a temporary path, none of the sources. It is not flushed to disk; after an error a
            part of it may stand there.
        metadata: key-value metadata of the new file.

    Returns:
        Rows in the new file.

    Raises:
        CannotConcatenate: there are no sources; one is missing, damaged, encrypted, stored in part
            in another file, or changed meanwhile; or their schemas differ. All of it but a change
            and a damaged page index is found before anything is written.
        OSError: the target cannot be written.
    """
    if not sources:
        raise CannotConcatenate("no Parquet file to join was given; name at least one")
    parts = [_read_source(path) for path in sources]
    _require_one_schema(parts)
    if target.exists() and any(target.samefile(path) for path in sources):
        raise CannotConcatenate(f"{target} is one of the files to join; write to another path")
    with target.open("wb") as out:
        out.write(_MAGIC)
        for part in parts:
            _append(part, out)
        footer = _joined_footer(parts, metadata)
        out.write(footer + len(footer).to_bytes(4, "little") + _MAGIC)
    return sum(_integer(part.footer, _FILE_ROWS) for part in parts)


@contextmanager
def _telling(path: Path) -> Iterator[None]:
    """Say what is wrong with a source, and with which."""
    try:
        yield
        return
    except OSError as error:
        reason = f"it cannot be read ({error.strerror})"
    except _UnfitError as error:
        reason = str(error)
    except (ValueError, LookupError, RecursionError):
        reason = "its footer is damaged or of an unknown kind"
    raise CannotConcatenate(
        f"{path} cannot be joined as it is: {reason}; decode its rows and write them again"
    ) from None


def _read_source(path: Path) -> _Source:
    with _telling(path), path.open("rb") as file:
        state = _state(file)
        size = state[1]
        head = file.read(len(_MAGIC))
        file.seek(max(size - _TAIL, 0))
        tail = file.read(_TAIL)
        if _ENCRYPTED in (head, tail[4:]):
            raise _UnfitError("it is encrypted")
        if head != _MAGIC or tail[4:] != _MAGIC:
            raise _UnfitError("it is not a Parquet file, or cut off")
        end = size - _TAIL - int.from_bytes(tail[:4], "little")
        if end < len(_MAGIC):
            raise _UnfitError("it is cut off")
        footer = _read_whole_struct(file, end, size - _TAIL - end, _FOOTER)
        _require_movable(footer, end)
        return _Source(path, footer, end, state)


def _state(file: BinaryIO) -> tuple[int, int, int]:
    status = os.fstat(file.fileno())
    return status.st_ino, status.st_size, status.st_mtime_ns


def _read_whole_struct(file: BinaryIO, offset: int, length: int, shape: Shape) -> Struct:
    file.seek(offset)
    data = file.read(length)
    fields, after = read_struct(data, 0, shape)
    if after != length:
        raise ValueError("something stands behind the struct")
    return fields


def _require_movable(footer: Struct, end: int) -> None:
    """Refuse what would not survive the move, and what is not whole.

    Args:
        footer: to be judged.
        end: where it begins; nothing that it points to may lie behind.
    """
    if _FILE_ENCRYPTION in footer or _FILE_SIGNATURE in footer:
        raise _UnfitError("it is encrypted or signed")
    rows = 0
    for group in _structs(footer, _FILE_GROUPS):
        rows += _integer(group, _GROUP_ROWS)
        for chunk in _structs(group, _GROUP_CHUNKS):
            if _CHUNK_PATH in chunk:
                raise _UnfitError("it names another file that holds part of it")
            if _CHUNK_CRYPTO in chunk or _CHUNK_ENCRYPTED_META in chunk:
                raise _UnfitError("it is encrypted")
            meta = _struct(chunk, _CHUNK_META)
            _require_within(chunk, (*_CHUNK_MOVED, _CHUNK_PAGES), end)
            _require_within(meta, _META_MOVED, end)
            first = _integer(meta, _META_DICTIONARY, 0) or _integer(meta, _META_DATA)
            if first + _integer(meta, _META_SIZE) > end:
                raise _UnfitError("its data is cut off")
        _require_within(group, (_GROUP_OFFSET,), end)
    if rows != _integer(footer, _FILE_ROWS) or _FILE_SCHEMA not in footer:
        raise ValueError("a footer that contradicts itself")


def _require_within(fields: Struct, numbers: Sequence[int], end: int) -> None:
    for number in numbers:
        # 0 is no offset: DuckDB writes it where a chunk has no file_offset.
        if (offset := _integer(fields, number, 0)) and not len(_MAGIC) <= offset <= end:
            raise _UnfitError("its offsets lead outside of its data")


def _require_one_schema(parts: Sequence[_Source]) -> None:
    first, *others = parts
    for part in others:
        with _telling(part.path):
            for number in (_FILE_SCHEMA, _FILE_ORDERS):
                if part.footer.get(number) != first.footer.get(number):
                    raise _UnfitError(f"its columns are not those of {first.path}")


def _append(part: _Source, out: BinaryIO) -> None:
    """Append a body and its offset indexes, and let the source's footer say where they now are."""
    by = out.tell() - len(_MAGIC)
    with _telling(part.path):
        file = part.path.open("rb")
    with file:
        for block in _body(part, file):
            out.write(block)
        for group in _structs(part.footer, _FILE_GROUPS):
            _move(group, (_GROUP_OFFSET,), by)
            for chunk in _structs(group, _GROUP_CHUNKS):
                _move(chunk, _CHUNK_MOVED, by)
                _move(_struct(chunk, _CHUNK_META), _META_MOVED, by)
                if _integer(chunk, _CHUNK_PAGES, 0):
                    pages = _moved_offset_index(part, file, chunk, by)
                    chunk[_CHUNK_PAGES] = (I64, out.tell())
                    chunk[_CHUNK_PAGES_LENGTH] = (I32, len(pages))
                    out.write(pages)


def _body(part: _Source, file: BinaryIO) -> Iterator[bytes]:
    """Blocks of what moves. Errors of the target's disk, raised between them, stay themselves."""
    left = part.end - len(_MAGIC)
    with _telling(part.path):
        if _state(file) != part.state:
            raise _UnfitError("it changed meanwhile")
        file.seek(len(_MAGIC))
    while left:
        with _telling(part.path):
            block = file.read(min(left, _BLOCK))
            if not block:
                raise _UnfitError("it changed meanwhile")
        left -= len(block)
        yield block


def _moved_offset_index(part: _Source, file: BinaryIO, chunk: Struct, by: int) -> bytes:
    with _telling(part.path):
        at, length = _integer(chunk, _CHUNK_PAGES), _integer(chunk, _CHUNK_PAGES_LENGTH)
        index = _read_whole_struct(file, at, length, _OFFSET_INDEX)
        for page in _structs(index, _INDEX_PAGES):
            _move(page, (_PAGE_OFFSET,), by)
    return write_struct(index)


def _move(fields: Struct, numbers: Sequence[int], by: int) -> None:
    for number in numbers:
        if offset := _integer(fields, number, 0):
            fields[number] = (I64, offset + by)


def _joined_footer(parts: Sequence[_Source], metadata: Mapping[str, str]) -> bytes:
    groups = [group for part in parts for group in _structs(part.footer, _FILE_GROUPS)]
    for ordinal, group in enumerate(groups):
        if ordinal >= _MOST_ORDINALS:
            group.pop(_GROUP_ORDINAL, None)
        elif _GROUP_ORDINAL in group:
            group[_GROUP_ORDINAL] = (I16, ordinal)
    footer = dict(parts[0].footer)
    footer[_FILE_ROWS] = (I64, sum(_integer(part.footer, _FILE_ROWS) for part in parts))
    footer[_FILE_GROUPS] = (LIST, groups)
    pairs = [
        {_KEY: (BINARY, as_binary(key)), _VALUE: (BINARY, as_binary(metadata[key]))}
        for key in sorted(metadata)
    ]
    footer.pop(_FILE_METADATA, None)
    if pairs:
        footer[_FILE_METADATA] = (LIST, pairs)
    return write_struct(dict(sorted(footer.items())))


def _integer(fields: Struct, number: int, default: int | None = None) -> int:
    if default is not None and number not in fields:
        return default
    value = fields[number][1]
    if not isinstance(value, int):
        raise ValueError("a field that is no number")
    return value


def _struct(fields: Struct, number: int) -> Struct:
    value = fields[number][1]
    if not isinstance(value, dict):
        raise ValueError("a field that is no struct")
    return value


def _structs(fields: Struct, number: int) -> list[Struct]:
    value = fields[number][1]
    if not isinstance(value, list):
        raise ValueError("a field that is no list")
    return value
