"""Writes the generated filings into a folder, beside the `filings.csv` that describes them."""

import csv
import io
import os
import random
from datetime import date
from pathlib import Path

from outreach_platform.embedded.sample.filing_text import Filing, html_report, text_report

# Filer numbers far above any that has been given out.
_FILINGS = (
    Filing(
        *("0009990001-25-000011", "0009990001", "Lantern & Kettle Works, Inc.", "LKWX", "10-K"),
        *(date(2025, 3, 3), date(2024, 12, 31), "0009990001-25-000011.htm"),
    ),
    Filing(
        *("0009990002-25-000004", "0009990002", "Vane & Thistle Holdings", "VTHX", "10-K"),
        *(date(2025, 2, 20), date(2024, 12, 28), "0009990002-25-000004.htm"),
        combined=True,
    ),
    Filing(
        *("0009990001-25-000027", "0009990001", "Lantern & Kettle Works, Inc.", "LKWX", "10-Q"),
        *(date(2025, 5, 8), date(2025, 3, 31), "0009990001-25-000027.htm"),
    ),
    Filing(
        *("0009990003-98-000002", "0009990003", "Millrace Glazing Corp", "MRGX", "10-K405"),
        *(date(1998, 3, 27), date(1997, 12, 31), "0009990003-98-000002.txt"),
    ),
)
SAMPLE_FILERS = frozenset(filing.cik for filing in _FILINGS)
_COLUMNS = (
    *("accession_number", "cik", "company_name", "ticker", "form_type"),
    *("filing_date", "period_of_report", "file"),
)


def write_filings(folder: Path, seed: int = 7) -> list[Path]:
    """Write four small filings and `filings.csv`; files that are there already stay as they are.

    Args:
        folder: is made if missing.
        seed: same seed, same bytes.

    Returns:
        The files' paths, `filings.csv` last.
    """
    folder.mkdir(parents=True, exist_ok=True)
    contents: dict[str, str] = {}
    for filing in _FILINGS:
        rng = random.Random(f"{seed}/{filing.accession_number}")
        report = text_report if filing.file.endswith(".txt") else html_report
        contents[filing.file] = report(rng, filing)
    contents["filings.csv"] = _csv()
    for name, text in contents.items():
        _write_new(folder / name, text)
    return [folder / name for name in contents]


def _csv() -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows([getattr(filing, column) for column in _COLUMNS] for filing in _FILINGS)
    return buffer.getvalue()


def _write_new(path: Path, text: str) -> None:
    """Write a file whole or not at all, unless one of that name exists."""
    if path.exists():
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    temporary.write_text(text, encoding="utf-8", newline="\n")
    temporary.replace(path)
