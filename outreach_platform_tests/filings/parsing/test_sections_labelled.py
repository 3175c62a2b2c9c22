"""Sections of real filings against their labels."""

import csv
import gzip
import json
from pathlib import Path

import pytest

from outreach_platform.filings.model import accession_year
from outreach_platform.filings.parsing.gates import doubts
from outreach_platform.filings.parsing.items import is_quarterly
from outreach_platform.filings.parsing.reader import read_document
from outreach_platform.filings.parsing.sections import find_sections
from outreach_platform_tests.support.real_data import real_data_folder

# The labels are older than these items.
UNLABELLED = {"1C", "9C", "16"}


def labelled() -> list[tuple[str, str, Path]]:
    """Accession number, form and file of each labelled filing."""
    folder = real_data_folder()
    table = folder / "filings" / "filings.csv" if folder else Path("none")
    if not table.is_file():
        pytest.skip("the labelled filings are not here")
    with table.open(encoding="utf-8") as rows:
        return [
            (row["accession_number"], row["form_type"], table.parent / row["file"])
            for row in csv.DictReader(rows)
        ]


@pytest.mark.slow
@pytest.mark.real_data
def test_items_of_real_filings_are_as_labelled() -> None:
    right = wrong = doubted = 0
    filings = labelled()
    for accession, form, file in filings:
        document = read_document(gzip.decompress(file.read_bytes()).decode("utf-8", "replace"))
        year = accession_year(accession)
        sections = find_sections(document, form, year)
        there = {
            (f"part{1 if one.section_part == 'part_i' else 2}item{one.number.lower()}")
            if is_quarterly(form)
            else one.number
            for one in sections
            if one.end > one.start
        }
        labels = json.loads((file.parent / f"{accession}.labels.json").read_text(encoding="utf-8"))
        for label in labels:
            if label["identifier"] not in UNLABELLED:
                agrees = (label["character_count"] > 0) == (label["identifier"] in there)
                right, wrong = right + agrees, wrong + (not agrees)
        named = all(one.method == "cross_reference" for one in sections)
        doubted += bool(doubts(document, sections, form, year)) and not named
    assert right / (right + wrong) >= 0.98
    assert doubted <= 0.1 * len(filings)
