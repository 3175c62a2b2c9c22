"""Which of several files stands for a filing.

One that is read counts before one that is refused, a full submission before a bare document, a file
that is added before the copy that stands, then the newer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from outreach_platform.filings.metadata import Evidence, settle
from outreach_platform.filings.model import FilingMeta


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file as it was read.

    Attributes:
        path: of the file.
        sha256: of its bytes as they lie there.
        evidence: what it tells.
        meta: the entry it makes.
        row: its row of `filings.csv`.
        added: not in the folder of raw filings yet.
        changed: when it was written, in nanoseconds.
    """

    path: Path
    sha256: str
    evidence: Evidence
    meta: FilingMeta
    row: Mapping[str, str] | None
    added: bool
    changed: int


def choose(
    candidates: Sequence[Candidate], before: FilingMeta | None, problems: list[str]
) -> Candidate:
    """The file that stands for a filing; others with other bytes are told of."""
    standing = before.content_hash if before else None

    def rank(each: Candidate) -> tuple[object, ...]:
        return (
            *(each.meta.refused is None, each.evidence.whole, each.added),
            *(each.meta.content_hash == standing, each.changed, str(each.path)),
        )

    best = max(candidates, key=rank)
    for each in candidates:
        if each.added and each.meta.content_hash != best.meta.content_hash:
            problems.append(
                f"{each.path} and {best.path} are both of {best.meta.accession_number} and differ: "
                f"the latter is registered, {_because(best, each)}."
            )
    row = next((each.row for each in candidates if each.row), None)
    if best.row is None and row is not None:
        # It describes the filing, whichever of its files counts.
        return replace(best, row=row, meta=settle(best.evidence, row))
    return best


def _because(best: Candidate, other: Candidate) -> str:
    if other.meta.refused is not None and best.meta.refused is None:
        return "because the former cannot be used"
    if best.evidence.whole and not other.evidence.whole:
        return "because it is the full submission"
    return "because it stands already or is newer"
