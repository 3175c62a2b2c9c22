"""The page: whole, escaped, asking for nothing outside itself, small however long the history."""

import itertools
import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import lxml.etree
import lxml.html
import pytest

from outreach_platform.enrichment.funnel import Funnel, FunnelRecord
from outreach_platform.enrichment.layout import EnrichmentFolder
from outreach_platform.filings.database import writer
from outreach_platform.filings.layout import FilingFolder
from outreach_platform.filings.publish import publish
from outreach_platform.foundation.errors import UsageError
from outreach_platform.foundation.lake import write_record
from outreach_platform.operations.problems import Problem, Severity
from outreach_platform.operations.report.page import build_page
from outreach_platform.operations.report.periods import scale_of
from outreach_platform.operations.report.write import report_path, write_report
from outreach_platform.snapshots.layout import StateFolder
from outreach_platform_tests.operations.report.test_figures import write_day
from outreach_platform_tests.support.report_history import (
    START,
    counts,
    override,
    publish_records,
    stop_records,
    verdict,
)
from outreach_platform_tests.support.snapshot_runs import settings_for

HOSTILE = "<script>alert('x')</script> \"onload=\" {{ 7 * 7 }} $x^2$"
SECTIONS = ("problems", "states", "switches", "enrichment", "events", "filings")
OUTSIDE = re.compile(
    r"https?:|//\w|\bsrc=|@import|url\((?!#)|<link|<script|<iframe|javascript:", re.I
)


def fill(data: Path) -> None:
    """Something of every wing, and a hostile text wherever text comes from outside."""
    hostile_codes = {"companies": {HOSTILE: 5, "website_url_missing": 3}, "people": {}}
    publish_records(
        data,
        counts(80, 20),
        verdicts=[verdict(0.2, override(f"{HOSTILE} ask ann.lee@example.org"))],
        errors=hostile_codes,
    )
    stop_records(data, counts(60, 40), at=START, share=0.4, state="OH")
    write_day(data, "2026-03-01", 1234, failed=7)
    stages = {name: 1 for name in Funnel.model_fields if name != "entity"}
    funnel = Funnel(**{**stages, "entity": "company", "invalid": 4711})
    record = FunnelRecord(run_id="r", at=START, source="embedded", funnels=[funnel])
    write_record(EnrichmentFolder(data).funnel, record, durable=False)
    folder = FilingFolder(data)
    with writer(folder) as connection:
        connection.execute(
            "INSERT INTO filings (accession_number, form_type, filing_year) "
            "VALUES ('0000320193-24-000123', '10-K', 2024)"
        )
    publish(folder)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of such a folder, with a hostile problem."""
    data = tmp_path_factory.mktemp("report")
    fill(data)
    problem = Problem("odd", HOSTILE, f"it says {HOSTILE}", "mend it", run_id=HOSTILE)
    return build_page(settings_for(data), [problem], now=START)


def parsed(page: str) -> lxml.html.HtmlElement:
    return lxml.html.document_fromstring(page)


def rows(page: str) -> Iterator[str]:
    for row in parsed(page).xpath("//table//tr"):
        yield " | ".join(cell.text_content() for cell in row)


def test_the_page_has_a_heading_and_a_picture_for_every_part(page: str) -> None:
    document = parsed(page)
    for name in SECTIONS:
        (section,) = document.xpath(f"//section[@id='{name}']")
        assert section.xpath("h2"), name
        assert section.xpath(".//svg") or name == "problems", name
    assert [h.text for h in document.iter("h1")] == ["Outreach report"]
    assert document.get("lang") == "en"


def test_every_picture_has_a_name_and_a_table(page: str) -> None:
    pictures = parsed(page).xpath("//svg")
    assert len(pictures) == len(parsed(page).xpath("//figure//table")) >= 8
    for picture in pictures:
        assert picture.get("role") == "img"
        (title,) = picture.xpath("title")
        assert title.get("id") == picture.get("aria-labelledby")
        assert title.text


def test_identifiers_are_unique_and_every_reference_leads_to_one(page: str) -> None:
    found = parsed(page).xpath("//@id")
    assert len(found) == len(set(found))
    named = re.findall(r'(?:href="|url\()#([^")]+)', page)
    assert named
    assert set(named) <= set(found)


def test_the_page_asks_for_nothing_outside(page: str) -> None:
    body = page.replace("&lt;script", "")
    assert OUTSIDE.findall(body) == []


def test_text_from_outside_is_shown_as_text(page: str) -> None:
    assert "<script" not in page
    assert parsed(page).xpath("//script | //@onload") == []
    assert any(HOSTILE in row for row in rows(page)), "told, and unchanged"
    assert HOSTILE in parsed(page).xpath("//ul[@class='problems']")[0].text_content()


def test_nobodys_address_and_name_stand_on_the_page(page: str) -> None:
    assert "ann.lee@example.org" not in page
    assert "Ann Lee" not in page


def test_the_tables_say_what_the_records_say(page: str) -> None:
    told = set(rows(page))
    assert "WV | 20260302020007 | published | 80 | 20 | 20.0% | 15.0%" in told
    assert "2026-03-01 | 1,234 | 7" in told
    assert "invalid at the source | 4,711" in told
    assert "2024 | " + " | ".join(["0 of 1 (0 rows)"] * 4) in told
    assert "2026-03-02 02:00 | OH | K1 | 40.0% | 15.0% | stopped the run | - | -" in told


def test_a_changed_count_shows(tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    publish_records(before, counts(4000, 33))
    publish_records(after, counts(4000, 34))
    told = [set(rows(build_page(settings_for(d), [], now=START))) for d in (before, after)]
    newest = "WV | 20260302020007 | published | 4,000 | {} | 0.8% | 15.0%"
    assert [newest.format(33) in page for page in told] == [True, False]
    assert [newest.format(34) in page for page in told] == [False, True]


def test_the_same_records_make_the_same_page(tmp_path: Path) -> None:
    publish_records(tmp_path, counts(80, 20))
    settings = settings_for(tmp_path)
    assert build_page(settings, [], now=START) == build_page(settings, [], now=START)


def test_nothing_is_wrong_only_where_somebody_looked_and_all_was_read(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    fine = "Nothing is wrong"
    assert fine not in build_page(settings, now=START)
    assert fine in build_page(settings, [], now=START)
    problem = Problem("odd", "WV", "it is odd", "mend it", Severity.WARNING)
    assert fine not in build_page(settings, [problem], now=START)
    version = publish_records(tmp_path, counts(1, 1))
    StateFolder(tmp_path, "WV").manifest(version).write_text("{", encoding="utf-8")
    harmed = build_page(settings, [], now=START)
    assert fine not in harmed
    assert f"exports/WV/manifests/{version}.json" in harmed
    assert str(tmp_path) not in harmed


def test_problems_stand_worst_first(tmp_path: Path) -> None:
    small = Problem("a", "small", "odd", "look", Severity.WARNING)
    great = Problem("z", "great", "broken", "mend", Severity.ERROR)
    page = build_page(settings_for(tmp_path), [small, great], now=START)
    assert [li.get("class") for li in parsed(page).xpath("//ul[@class='problems']/li")] == [
        "error",
        "warning",
    ]


def test_an_empty_folder_is_told_how_to_begin(tmp_path: Path) -> None:
    page = build_page(settings_for(tmp_path), [], now=START)
    assert not parsed(page).xpath("//svg")
    for command in ("snapshot --all-states", "enrich run", "events --sync-duckdb", "filings add"):
        assert f"<code>outreach {command}" in page


@pytest.mark.parametrize(
    ("days", "name"), [(0, "day"), (92, "day"), (93, "week"), (1096, "month"), (7000, "year")]
)
def test_time_is_cut_into_few_periods(days: int, name: str) -> None:
    first = date(2024, 1, 31)
    scale = scale_of(first, first + timedelta(days=days))
    assert scale.name == name
    periods = sorted({scale.start(first + timedelta(days=n)) for n in range(days + 1)})
    assert len(periods) <= 125
    for one, following in itertools.pairwise(periods):
        assert scale.width(one) == (following - one).days


def test_a_long_history_makes_a_small_page(tmp_path: Path) -> None:
    for day in range(0, 1096, 2):
        at = START - timedelta(days=day)
        publish_records(tmp_path, counts(900 + day, 50), at=at, number=day + 1)
    page = build_page(settings_for(tmp_path), [], now=START)
    assert "548 published versions" in page
    assert len(page) < 150_000
    lxml.etree.fromstring(lxml.etree.tostring(parsed(page)))


def test_the_page_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    path = write_report(settings, now=START)
    assert path == report_path(settings)
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]
    with pytest.raises(UsageError, match="is a folder"):
        write_report(settings, target=tmp_path)
