"""Pointers to exhibits of the same submission."""

from outreach_platform.filings.parsing.marks import marks_of
from outreach_platform.filings.parsing.pointers import Exhibits
from outreach_platform.filings.parsing.submission import open_submission

TITLE = "Management's Discussion and Analysis of Financial Condition and Results of Operations"
ITEM_7 = (
    f"ITEM 7. {TITLE.upper()}\n\nThe information required by this item is on pages 3 to 4 of the"
    " annual report to shareholders and incorporated by reference."
)
SAID = "The mill grinds grain by night for all bakers of the county.\n" * 30


def report() -> str:
    titles = ("LETTER TO OUR OWNERS", "THE MILL IN FIGURES", "FINANCIAL REVIEW", "STATEMENTS")
    return "".join(
        f"{title:^70}\n\n{SAID}\n{number:^70}\n<PAGE>\n" for number, title in enumerate(titles, 1)
    )


def exhibits(*documents: tuple[str, str]) -> Exhibits:
    parts = (
        f"<DOCUMENT>\n<TYPE>{kind}\n<SEQUENCE>{number}\n<TEXT>\n{text}\n</TEXT>\n</DOCUMENT>\n"
        for number, (kind, text) in enumerate(documents, 1)
    )
    header = "<SEC-HEADER>x.hdr.sgml : 19970328\n</SEC-HEADER>\n"
    raw = f"<SEC-DOCUMENT>x.txt : 19970328\n{header}{''.join(parts)}</SEC-DOCUMENT>\n"
    return Exhibits(open_submission(raw.encode(), "x.txt").documents)


def test_the_annual_report_at_hand_is_named_with_what_stands_on_its_pages() -> None:
    references = marks_of(ITEM_7, TITLE, "item_7", "10-K")[1]
    at_hand = exhibits(("10-K", ITEM_7), ("EX-13", report()))
    assert at_hand.located(references, "item_7", "10-K", 1997) == [
        references[0] | {"document": "EX-13", "sequence": 2, "heading": "FINANCIAL REVIEW"}
    ]


def test_without_the_exhibit_a_pointer_stays_as_it_is() -> None:
    references = marks_of(ITEM_7, TITLE, "item_7", "10-K")[1]
    assert references[0]["to"] == "annual report"
    assert exhibits(("10-K", ITEM_7), ("EX-27", "x")).located(
        references, "item_7", "10-K", 1997
    ) == (references)


def test_an_exhibit_is_found_by_its_number() -> None:
    text = "Item 11. Pay\nSee Exhibit 10.2, incorporated by reference, and Exhibit 99 by reference."
    references = marks_of(text, "Pay", "item_11", "10-K")[1]
    at_hand = exhibits(("10-K", ITEM_7), ("EX-10.2", "Plan"), ("EX-99.1", "Release"))
    located = at_hand.located(references, "item_11", "10-K", 1997)
    assert [(one["to"], one.get("document")) for one in located] == [
        ("exhibit 10.2", "EX-10.2"),
        ("exhibit 99", "EX-99.1"),
    ]


def test_an_exhibit_without_text_is_named_and_not_read() -> None:
    references = marks_of(ITEM_7, TITLE, "item_7", "10-K")[1]
    at_hand = exhibits(("10-K", ITEM_7), ("EX-13", "   \n"))
    located = at_hand.located(references, "item_7", "10-K", 1997)
    assert located[0]["document"] == "EX-13" and "heading" not in located[0]
