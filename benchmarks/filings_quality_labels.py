"""Label files of filings, and how an extractor's sections are judged by them.

A label file says for each item how many characters of HTML it has, 0 where the filing has none.
"""

import gzip
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

# The labeller knows no items that came after it, and none that filers add.
UNKNOWN_TO_LABELS = frozenset(("1C", "9C", "16"))
# Lengths are of the same order within this factor, or within this slack for short items.
FACTOR = 2.0
SLACK = 2_500


@dataclass(frozen=True, slots=True)
class Found:
    """A section as an extractor gave it.

    Attributes:
        length: characters of its HTML, of its text where there is no HTML.
        text_length: characters of its text.
        heading: the heading's words.
        opening: the text's first words.
        confidence: 0 to 1.
    """

    length: int
    text_length: int
    heading: str
    opening: str
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class Difference:
    """An item on which labels and extractor do not agree.

    Attributes:
        filing: accession number.
        item: `7A` in a 10-K, `part1item2` in a 10-Q.
        kind: `missing`, `not labelled`, `too short` or `too long`.
        labelled: characters of HTML by the labels.
        found: what the extractor gave, if anything.
    """

    filing: str
    item: str
    kind: str
    labelled: int
    found: Found | None


@dataclass(slots=True)
class Score:
    """The comparison of one filing or of many.

    Attributes:
        right: items present, or absent, as labelled and of the labelled order of length.
        total: items that the labels speak of.
        both: items present by both.
        labelled: items present by the labels.
        found: items present by the extractor, of those that the labels speak of.
        seconds: for each filing.
        differences: all of them, in the order of the filings.
    """

    right: int = 0
    total: int = 0
    both: int = 0
    labelled: int = 0
    found: int = 0
    seconds: list[float] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)

    def add(self, other: "Score") -> None:
        """Add another comparison to this one."""
        self.right += other.right
        self.total += other.total
        self.both += other.both
        self.labelled += other.labelled
        self.found += other.found
        self.seconds += other.seconds
        self.differences += other.differences

    @property
    def share(self) -> float:
        """Items right of all items labelled present or absent."""
        return self.right / self.total if self.total else 0.0

    @property
    def precision(self) -> float:
        """Items labelled present of the items found."""
        return self.both / self.found if self.found else 0.0

    @property
    def recall(self) -> float:
        """Items found of the items labelled present."""
        return self.both / self.labelled if self.labelled else 0.0


@dataclass(frozen=True, slots=True)
class Labelled:
    """A filing and what its label file says.

    Attributes:
        accession: of the filing.
        form: as registered.
        path: of the packed document.
        items: characters of HTML by item.
    """

    accession: str
    form: str
    path: Path
    items: dict[str, int]

    def source(self) -> str:
        """The document's markup."""
        return gzip.decompress(self.path.read_bytes()).decode("utf-8", "replace")


def labelled_filings(folder: Path, only: str = "") -> list[Labelled]:
    """The labelled filings of a folder, by accession number.

    Args:
        folder: holds `ACCESSION.htm.gz` and `ACCESSION.labels.json` beside each other.
        only: takes only accession numbers that contain it.
    """
    filings = []
    for label in sorted(folder.glob("*.labels.json")):
        accession = label.name.removesuffix(".labels.json")
        path = label.with_name(f"{accession}.htm.gz")
        if only not in accession or not path.exists():
            continue
        items = {row["identifier"]: row["character_count"] for row in json.loads(label.read_text())}
        form = "10-Q" if any(item.startswith("part") for item in items) else "10-K"
        filings.append(Labelled(accession, form, path, items))
    return filings


def item_name(form: str, part: str, section_type: str) -> str:
    """The name that the labels give an item: `1A` in a 10-K, `part2item1a` in a 10-Q."""
    number = section_type.removeprefix("item_")
    if not form.startswith("10-Q"):
        return number.upper()
    roman = part.removeprefix("part_").upper()
    value = 4 if roman == "IV" else roman.count("I")
    return f"part{value}item{number}"


def compare(filing: Labelled, found: dict[str, Found], seconds: float) -> Score:
    """Judge an extractor's sections by the labels."""
    score = Score(seconds=[seconds])
    present = {name: item for name, item in found.items() if item.text_length}
    for name in sorted({*filing.items, *present} - UNKNOWN_TO_LABELS, key=_order):
        label, item = filing.items.get(name, 0), present.get(name)
        score.total += 1
        score.labelled += label > 0
        score.found += item is not None
        score.both += label > 0 and item is not None
        kind = _difference(label, item)
        score.right += not kind
        if kind:
            score.differences.append(Difference(filing.accession, name, kind, label, item))
    return score


def _difference(label: int, item: Found | None) -> str:
    if item is None:
        return "missing" if label else ""
    if not label:
        return "not labelled"
    if abs(item.length - label) <= SLACK or 1 / FACTOR <= item.length / label <= FACTOR:
        return ""
    return "too short" if item.length < label else "too long"


def _order(name: str) -> tuple[str, int, str]:
    part, _, number = name.rpartition("item")
    digits = "".join(c for c in number if c.isdigit())
    return part, int(digits or 0), number


def total(scores: Iterable[Score]) -> Score:
    """All comparisons as one."""
    summed = Score()
    for score in scores:
        summed.add(score)
    return summed
