"""From the bytes of a file to the documents in it; what cannot be read is refused with a reason.

A file is a full submission as EDGAR keeps it (SGML header, several documents), one document of it
with or without its SGML tags, or a page of HTML or text that somebody saved. Any of them may be
gzipped, whatever its name says.
"""

import codecs
import hashlib
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from outreach_platform.filings.parsing.wholeness import (
    error_page,
    is_binary,
    unclosed_html,
    unclosed_submission,
)

# More than any submission on EDGAR unpacks to; a worker has less memory than a bomb would need.
_MOST = 400 * 2**20
_GZIP = b"\x1f\x8b"
_DOCUMENT = re.compile(rb"^[ \t]*<DOCUMENT>", re.I | re.M)
_ANY_DOCUMENT = re.compile(rb"<DOCUMENT>", re.I)
_DOCUMENT_END = re.compile(rb"^[ \t]*</DOCUMENT>", re.I | re.M)
_TEXT = re.compile(rb"<TEXT>[ \t]*\r?\n?", re.I)
_TEXT_END = re.compile(rb"</TEXT>", re.I)
_FIELD = re.compile(rb"^[ \t]*<(TYPE|SEQUENCE|FILENAME|DESCRIPTION)>([^\r\n<]*)", re.I | re.M)
_HEADER = re.compile(rb"<(?:SEC|IMS)-(?:DOCUMENT|HEADER)>|^<SUBMISSION>", re.I | re.M)
_HEADER_END = re.compile(rb"</(?:SEC|IMS)-HEADER>", re.I)
_TRAILER = re.compile(rb"(?:</(?:SEC|IMS)-DOCUMENT>|-----END PRIVACY[^\n]*|\s)+\Z", re.I)
_TRAILED = 5000
_PEM = re.compile(rb"\A\s*-----BEGIN PRIVACY-ENHANCED MESSAGE-----.*?\n[ \t\r]*\n", re.S)
_ESCAPED_DASH = re.compile(rb"^- (?=-)", re.M)
_WRAPPER = re.compile(r"\A\s*<(XBRL|XML)>[ \t]*\n?(.*?)(?:</\1>\s*)?\Z", re.S | re.I)
_ENCODED = re.compile(rb"\A\s*(?:<PDF>|begin [0-7]{3} \S)", re.I)
# Copies for machines of what the other documents say, and pictures.
_SKIPPED_TYPES = frozenset(("GRAPHIC", "ZIP", "EXCEL", "JSON", "PDF", "XML"))
_MAIN = re.compile(r"10-[KQ]", re.I)


class UnreadableFilingError(ValueError):
    """A file holds no filing that can be read; its one sentence says why."""


@dataclass(frozen=True, slots=True)
class SubmissionDocument:
    """One document of a submission.

    Attributes:
        type: as filed, for example `10-K405` or `EX-13.1`; empty where the file does not say.
        sequence: its number in the submission, from 1.
        filename: empty in submissions before 2001.
        description: as filed, often empty.
        text: markup or plain text; lines end with a line feed.
    """

    type: str
    sequence: int
    filename: str
    description: str
    text: str


@dataclass(frozen=True, slots=True)
class Submission:
    """A file, unpacked.

    Attributes:
        header: what stands before the first document: the SGML header; empty without one.
        documents: in the order of the file, without PDFs, pictures and other binaries.
        main: the first 10-K or 10-Q of the documents, else the one of sequence 1.
        size: of the unpacked bytes.
        sha256: of the unpacked bytes, hexadecimal.
    """

    header: str
    documents: tuple[SubmissionDocument, ...]
    main: SubmissionDocument
    size: int
    sha256: str


def open_submission(raw: bytes, name: str) -> Submission:
    """Unpack a file and part it into its documents.

    Args:
        raw: the file's bytes, gzipped or not.
        name: the file's name, for messages and as the name of a bare document.

    Raises:
        UnreadableFilingError: empty, binary, cut off, an error page, or without a main document.
    """
    data = _unpacked(raw, name)
    if not data.strip(b"\0\x1a\t\r\n "):
        raise UnreadableFilingError(f"{name} is empty; download it again.")
    if is_binary(data):
        raise UnreadableFilingError(f"{name} is a binary file; add the filing's .htm or .txt.")
    size, digest = len(data), hashlib.sha256(data).hexdigest()
    if (wrapped := _PEM.match(data)) is not None:
        data = _ESCAPED_DASH.sub(b"", data[wrapped.end() :])
    header, documents = _parted(data, name)
    return Submission(header, documents, _main(documents, name), size, digest)


def _unpacked(raw: bytes, name: str) -> bytes:
    """The bytes without gzip around them, however often; the magic bytes tell, not the name."""
    while raw[:2] == _GZIP:
        raw = b"".join(_members(raw, name))
    return raw


def _members(raw: bytes, name: str) -> Iterator[bytes]:
    left = _MOST
    while raw[:2] == _GZIP:
        member = zlib.decompressobj(wbits=31)
        try:
            data = member.decompress(raw, left)
        except zlib.error:
            raise UnreadableFilingError(
                f"{name} is a damaged gzip file; download it again."
            ) from None
        if not member.eof and len(data) < left:
            raise UnreadableFilingError(f"{name} is a gzip file cut off; download it again.")
        left -= len(data)
        if left <= 0:
            raise UnreadableFilingError(
                f"{name} unpacks to over {_MOST >> 20} MB; add its main document alone."
            )
        yield data
        raw = member.unused_data


def _parted(data: bytes, name: str) -> tuple[str, tuple[SubmissionDocument, ...]]:
    """The SGML header and the documents of an unpacked file."""
    some = _ANY_DOCUMENT.search(data)  # a tenth of the time of a search by lines
    starts = [found.start() for found in _DOCUMENT.finditer(data)] if some else []
    before = data[: starts[0]] if starts else data
    if (reason := unclosed_submission(data, len(starts))) is not None:
        raise UnreadableFilingError(f"{name} is cut off: {reason}; download it again.")
    if starts:
        header = decode(before) if _HEADER.search(before) else ""
        pieces = [data[start:end] for start, end in zip(starts, [*starts[1:], None], strict=True)]
        found = (_document(piece, number) for number, piece in enumerate(pieces, start=1))
        return header, tuple(document for document in found if document is not None)
    header, text = _bare(data)
    if (page := error_page(text)) is not None:
        raise UnreadableFilingError(
            f"{name} is no filing but a page of the SEC's site ({page}); download it again."
        )
    if (reason := unclosed_html(text)) is not None:
        raise UnreadableFilingError(f"{name} is cut off: {reason}; download it again.")
    return header, ((SubmissionDocument("", 1, name, "", text),) if text.strip() else ())


def _bare(data: bytes) -> tuple[str, str]:
    """Header and text of a file without `<DOCUMENT>`."""
    head = _HEADER_END.search(data) if _HEADER.search(data, 0, 20_000) else None
    if head is None:
        return "", decode(_untrailed(data))
    return decode(data[: head.end()]), decode(_untrailed(data[head.end() :]))


def _untrailed(data: bytes) -> bytes:
    """The bytes without closing tags of a submission; only the end is searched, for speed."""
    end = max(0, len(data) - _TRAILED)
    return data[:end] + _TRAILER.sub(b"", data[end:])


def _document(piece: bytes, number: int) -> SubmissionDocument | None:
    """A document of its SGML; None where it is binary, encoded as text, or a copy for machines."""
    if ends := list(_DOCUMENT_END.finditer(piece)):
        piece = piece[: ends[-1].start()]
    opened = _TEXT.search(piece)
    head = piece[: opened.start()] if opened else piece[:2000]
    fields = {key.upper(): decode(value).strip() for key, value in _FIELD.findall(head)}
    body = piece[opened.end() :] if opened else b""
    if closed := list(_TEXT_END.finditer(body)):
        body = body[: closed[-1].start()]
    kind = fields.get(b"TYPE", "")
    if kind.upper() in _SKIPPED_TYPES or _ENCODED.match(body):
        return None
    text = decode(body)
    if (inner := _WRAPPER.match(text)) is not None:
        text = inner[2]
    sequence = fields.get(b"SEQUENCE", "")
    return SubmissionDocument(
        kind,
        int(sequence) if sequence.isascii() and sequence.isdigit() else number,
        fields.get(b"FILENAME", ""),
        fields.get(b"DESCRIPTION", ""),
        text,
    )


def _main(documents: tuple[SubmissionDocument, ...], name: str) -> SubmissionDocument:
    said = [document for document in documents if document.text.strip()]
    for document in said:
        if _MAIN.match(document.type):
            return document
    for document in said:
        if document.sequence == 1:
            return document
    raise UnreadableFilingError(
        f"{name} is a submission without a main document; add the filing's .htm or .txt."
    )


def _as_cp1252(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    byte = error.object[error.start : error.start + 1]
    text = byte.decode("cp1252", "ignore") or byte.decode("latin-1")
    return text, error.start + 1


codecs.register_error("outreach_cp1252", _as_cp1252)


def decode(data: bytes) -> str:
    """Text of bytes: UTF-8, and as cp1252 what is none, for submissions mix them.

    Byte order marks and carriage returns go.
    """
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = data.decode("utf-16", "replace")
    else:
        text = data.decode("utf-8", "outreach_cp1252").removeprefix("\ufeff")
    if "\r" in text:
        text = re.sub(r"\r+\n|\r", "\n", text)
    return text
