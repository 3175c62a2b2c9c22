"""Citations: a place in a filing as one line, which leads back to the very text.

`0000320193-24-000123 part_i item_1a [10234:12011] #5f3a9c1e` names filing, part, item and the
offsets in the section's `content_text`; the check at its end, a hash of the cited text, may be left
out.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import duckdb

from outreach_platform.filings.model import content_hash
from outreach_platform.filings.search_database import reading
from outreach_platform.foundation.errors import UsageError

_CHECK = 8
_FORM = re.compile(
    r"\s*(?P<accession>\d{10}-?\d{2}-?\d{6})\s+(?P<part>part_[a-z]+)\s+(?P<type>item_\w{1,4})"
    r"\s*\[\s*(?P<start>\d{1,9})\s*:\s*(?P<end>\d{1,9})\s*\](?:\s*#(?P<check>[0-9a-f]{8}))?\s*",
    re.I,
)
_EXAMPLE = "0000320193-24-000123 part_i item_1a [10234:12011]"
_EXCERPT = 80


@dataclass(frozen=True, slots=True)
class Citation:
    """A place in a filing.

    Attributes:
        accession: with dashes.
        part: `part_i` and so on.
        section_type: `item_1a` and so on.
        start: offset in the section's `content_text`.
        end: offset behind the last character.
        check: the first digits of the hash of the text; empty where the citation has none.
    """

    accession: str
    part: str
    section_type: str
    start: int
    end: int
    check: str = ""


def cite(
    accession: str, part: str, section_type: str, start: int, end: int, text: str | None = None
) -> str:
    """The citation of a place.

    Args:
        accession: number of the filing, with dashes.
        part: `part_i` and so on.
        section_type: `item_1a` and so on.
        start: offset in the section's `content_text`.
        end: offset behind the last character.
        text: what stands there; with it, `resolve` notices when the text has changed.
    """
    check = f" #{content_hash(text)[:_CHECK]}" if text is not None else ""
    return f"{accession} {part} {section_type} [{start}:{end}]{check}"


def parse(citation: str) -> Citation:
    """Read a citation.

    Raises:
        UsageError: it is none.
    """
    found = _FORM.fullmatch(citation)
    if found is None or int(found["start"]) >= int(found["end"]):
        raise UsageError(
            f"{_short(citation)} is no citation: one looks like `{_EXAMPLE}`, with the first "
            "offset below the second"
        )
    digits = found["accession"].replace("-", "")
    return Citation(
        accession=f"{digits[:10]}-{digits[10:12]}-{digits[12:]}",
        part=found["part"].lower(),
        section_type=found["type"].lower(),
        start=int(found["start"]),
        end=int(found["end"]),
        check=(found["check"] or "").lower(),
    )


def resolve(path: Path, citation: str) -> str:
    """The very text that a citation names.

    Args:
        path: the published database.
        citation: as `cite` writes it.

    Raises:
        UsageError: it is no citation, names nothing that stands here, or the text has changed.
        OutreachError: the database cannot be read.
    """
    place = parse(citation)
    with reading(path) as connection:
        text = _section_text(connection, place)
    if place.end > len(text):
        raise UsageError(
            f"{_short(citation)} ends behind {place.section_type}, which has {len(text)} "
            "characters here: the text has changed since, search for it anew"
        )
    cited = text[place.start : place.end]
    if place.check and not content_hash(cited).startswith(place.check):
        raise UsageError(
            f"{_short(citation)} names another text than is here now: the section was read anew "
            "since, search for it anew"
        )
    return cited


def _section_text(connection: duckdb.DuckDBPyConnection, place: Citation) -> str:
    row = connection.execute(
        "SELECT content_text FROM sections "
        "WHERE accession_number = ? AND section_part = ? AND section_type = ?",
        [place.accession, place.part, place.section_type],
    ).fetchone()
    if row is not None:
        return str(row[0])
    known = connection.execute(
        "SELECT string_agg(section_part || ' ' || section_type, ', ' "
        "ORDER BY section_part, section_type) FROM sections WHERE accession_number = ?",
        [place.accession],
    ).fetchone()
    if known is None or known[0] is None:
        raise UsageError(
            f"no section of filing {place.accession} is here: `outreach filings add` registers a "
            "filing, `outreach filings extract` reads it"
        )
    raise UsageError(
        f"filing {place.accession} has no {place.part} {place.section_type}: it has {known[0]}"
    )


def _short(citation: str) -> str:
    line = " ".join(citation.split())
    return f"`{line if len(line) <= _EXCERPT else line[:_EXCERPT] + '…'}`"
