"""The generated filings: what `filings.csv` says is what the folder holds."""

import csv
import html
import re
from datetime import date
from pathlib import Path

from outreach_platform.embedded.sample import write_filings


def test_the_csv_describes_the_files(tmp_path: Path) -> None:
    paths = write_filings(tmp_path / "new" / "filings")
    assert sorted(paths) == sorted((tmp_path / "new" / "filings").iterdir())
    with paths[-1].open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["form_type"] for row in rows] == ["10-K", "10-K", "10-Q", "10-K405"]
    for row in rows:
        assert re.fullmatch(r"\d{10}-\d{2}-\d{6}", row["accession_number"])
        assert re.fullmatch(r"\d{10}", row["cik"])
        filed = date.fromisoformat(row["filing_date"])
        assert date.fromisoformat(row["period_of_report"]) <= filed
        assert f"-{filed:%y}-" in row["accession_number"]
        text = (paths[0].parent / row["file"]).read_text(encoding="utf-8")
        assert row["form_type"] in text
        assert len(text) > 5_000


def headings(path: Path) -> dict[str, str]:
    """Text of the elements with an id, by id: the report's real headings."""
    pattern = r"<(\w+) id='(\w+)'>(.*?)</\1>"
    found = re.findall(pattern, path.read_text(encoding="utf-8"))
    return {key: plain_text(inner) for _, key, inner in found}


def plain_text(markup: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", " ", markup))


def test_a_report_has_each_item_as_a_heading_beside_mere_mentions(tmp_path: Path) -> None:
    plain, combined, quarterly, old, _ = write_filings(tmp_path)
    assert len(headings(plain)) == 22
    assert "Risk Factors" in headings(plain)["pIi1A"]
    markup = plain.read_text(encoding="utf-8")
    assert markup.count("<tr><th>") == 3, "three statements"
    assert plain_text(markup).count("Item 1A") > 3, "contents, heading and mentions"
    assert "pIi2" not in headings(combined)
    assert "Items 1 and 2." in headings(combined)["pIi1"]
    assert {"pIi1", "pIIi1"} <= set(headings(quarterly))
    lines = old.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("<SEC-DOCUMENT>")
    assert "<PAGE>" in lines
    assert "<TABLE>" in lines
    assert any(re.match(r"ITEM 7\.\s+MANAGEMENT", line) for line in lines)
    assert max(map(len, lines)) <= 80


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    first = write_filings(tmp_path / "a", seed=3)
    second = write_filings(tmp_path / "b", seed=3)
    other = write_filings(tmp_path / "c", seed=4)
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]
    assert [p.read_bytes() for p in first] != [p.read_bytes() for p in other]


def test_a_file_that_is_there_already_is_kept(tmp_path: Path) -> None:
    paths = write_filings(tmp_path)
    paths[0].write_text("my own notes", encoding="utf-8")
    paths[1].unlink()
    assert write_filings(tmp_path) == paths
    assert paths[0].read_text(encoding="utf-8") == "my own notes"
    assert paths[1].stat().st_size > 5_000
