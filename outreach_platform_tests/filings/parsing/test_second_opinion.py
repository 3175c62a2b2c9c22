"""What another extractor proposes, and that its errors stay its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from outreach_platform.filings.parsing import second_opinion as module
from outreach_platform.filings.parsing.second_opinion import second_opinion

ITEMS = (
    ("1", "Business"),
    ("1A", "Risk Factors"),
    ("2", "Properties"),
    ("3", "Legal Proceedings"),
)
SAID = "The mill grinds grain for the bakers of three counties, by day and by night. "


def page() -> str:
    body = "".join(
        f"<p><b>Item {number}. {title}</b></p>{f'<p>{SAID}</p>' * 12}" for number, title in ITEMS
    )
    return f"<html><body><p><b>PART I</b></p>{body}</body></html>"


def plain() -> str:
    contents = "\n".join(
        f"Item {number}.  {title} ........ {n}" for n, (number, title) in enumerate(ITEMS)
    )
    body = "\n\n".join(f"ITEM {n}.  {t.upper()}\n\n{SAID * 9}" for n, t in ITEMS)
    return f"CONTENTS\n\n{contents}\n\n<PAGE>\nPART I\n\n{body}\n\nSIGNATURES\n\nJane Roe"


def test_nothing_is_imported_before_the_question() -> None:
    code = (
        "import sys\nfrom outreach_platform.filings.parsing.second_opinion import second_opinion\n"
        "second_opinion('<html><body><p>x</p></body></html>', '10-K')\n"
        "assert 'edgar' not in sys.modules and 'lxml' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
def test_edgartools_answers_without_a_home_and_leaves_no_trace(tmp_path: Path) -> None:
    code = (
        "import os, sys\n"
        "from outreach_platform.filings.parsing.second_opinion import second_opinion\n"
        "before = dict(os.environ)\n"
        "found = second_opinion(sys.stdin.read(), '10-K405')()\n"
        "assert dict(os.environ) == before\n"
        "print([(p.section_part, p.section_type, p.length > 500, p.opening[:6]) for p in found])"
    )
    environment = {**os.environ, "HOME": "/proc/none", "TMPDIR": str(tmp_path)}
    environment.pop("EDGAR_LOCAL_DATA_DIR", None)
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=page(),
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    for number, _ in ITEMS:
        assert f"'item_{number.lower()}', True" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_the_library_is_logged_and_proposes_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(markup: str, form: str) -> list[tuple[str, list[str], str]]:
        raise RecursionError(markup)

    monkeypatch.setattr(module, "_sections", broken)
    assert second_opinion(page(), "10-K")() == []
    assert "RecursionError" in caplog.text
    assert "grinds" not in caplog.text


def test_items_under_one_heading_are_one_proposal_each(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [("part_i", ["1", "2"], "Items 1 and 2.\nBusiness"), ("", ["9b"], "Item 9B. None.")]
    monkeypatch.setattr(module, "_sections", lambda markup, form: found)
    assert [
        (p.section_part, p.section_type, p.opening) for p in second_opinion(page(), "10-Q")()
    ] == [
        ("part_i", "item_1", "Items 1 and 2. Business"),
        ("part_i", "item_2", "Items 1 and 2. Business"),
        ("", "item_9b", "Item 9B. None."),
    ]


def test_plain_text_is_read_by_another_method() -> None:
    proposals = second_opinion(plain(), "10-K")()
    assert [p.section_type for p in proposals] == ["item_1", "item_1a", "item_2", "item_3"]
    assert all(len(SAID) * 9 <= p.length + 1 < len(SAID) * 10 for p in proposals)
    assert proposals[3].opening.startswith("ITEM 3. LEGAL PROCEEDINGS The mill")


def test_a_mention_in_plain_text_is_no_proposal() -> None:
    text = plain().replace(SAID, f"See the talk of\nItem 7 in our letter to the holders. {SAID}", 1)
    assert "item_7" not in [p.section_type for p in second_opinion(text, "10-K")()]


def test_text_without_items_has_no_proposals() -> None:
    assert second_opinion("A letter to our owners.\n\nThe mill does well.\n" * 50, "10-K")() == []
