"""Chunks of real filings: the same properties, whatever the filer's agent wrote."""

from pathlib import Path

import pytest

from outreach_platform.filings.model import accession_year
from outreach_platform.filings.parsing.chunks import extract_chunks
from outreach_platform.filings.parsing.reader import read_document
from outreach_platform.filings.parsing.sections import find_sections
from outreach_platform.filings.parsing.submission import open_submission
from outreach_platform_tests.filings.parsing.test_chunks import check
from outreach_platform_tests.support.real_data import real_data_folder

FILES = {
    "filings/0000320193-24-000123.htm.gz": "10-K",
    "filings/0001467858-24-000031.htm.gz": "10-K",
    "filings/0000040545-23-000198.htm.gz": "10-Q",
    "filings_old/ko-1997.txt.gz": "10-K",
    "filings_old/nike-2006.htm.gz": "10-K",
}


def folder() -> Path:
    found = real_data_folder()
    if found is None or not (found / "filings").is_dir():
        pytest.skip("no real filings here")
    return found


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.parametrize(("name", "form"), FILES.items())
def test_chunks_of_a_real_filing_cover_its_sections(name: str, form: str):
    path = folder() / name
    document = read_document(open_submission(path.read_bytes(), path.name).main.text)
    year = accession_year(path.name) if path.name[0] == "0" else int(path.name.split("-")[1][:4])
    sections = find_sections(document, form, year)
    rows = extract_chunks(document, sections, "0000000001-24-000001")
    assert len(sections) > 5
    for section in sections:
        mine = [
            row
            for row in rows
            if (row["section_part"], row["section_type"])
            == (section.section_part, section.section_type)
        ]
        check(document.text[section.start : section.end], mine)
    assert len({row["chunk_id"] for row in rows}) == len(rows)
    assert any(row["contains_tables"] for row in rows)
    assert len({row["heading"] for row in rows if row["chunk_level"] == 3}) >= len(sections)


@pytest.mark.slow
@pytest.mark.real_data
def test_sub_headings_of_a_real_filing_head_its_chunks():
    path = folder() / "filings/0000320193-24-000123.htm.gz"
    document = read_document(open_submission(path.read_bytes(), path.name).main.text)
    rows = extract_chunks(document, find_sections(document, "10-K", 2024), "0000000001-24-000001")
    headings = {row["heading"] for row in rows if row["section_type"] == "item_7"}
    expected = {"Gross Margin", "Liquidity and Capital Resources", "Critical Accounting Estimates"}
    assert expected <= headings
    assert not any(heading.startswith("Apple Inc. |") for heading in headings)
