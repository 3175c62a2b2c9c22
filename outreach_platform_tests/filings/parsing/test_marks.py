"""What a section says of itself, where it sends its reader, and what must not be taken for it."""

import json

import pytest

from outreach_platform.filings.parsing.marks import body_of, marks_of
from outreach_platform.filings.parsing.marks_references import MOST
from outreach_platform.filings.parsing.marks_targets import documents_in, pages_in

LEGAL = "LEGAL PROCEEDINGS"


def codes(text: str, title: str, section_type: str = "item_3", form: str = "10-K") -> list[str]:
    return [mark["code"] for mark in marks_of(text, title, section_type, form)[0]]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("None.", ["none"]),
        ("(a) None.\n\n(b) None.", ["none"]),
        ("NONE\n\n  17\n\nPART II", ["none"]),
        ("There are none.", ["none"]),
        ("No matters were submitted to a vote during the fourth quarter.", ["none"]),
        ("Not applicable.", ["not_applicable"]),
        ("N/A", ["not_applicable"]),
        ("Inapplicable.", ["not_applicable"]),
        ("[Reserved]", ["reserved"]),
        ("(Removed and Reserved)", ["reserved"]),
        ("Omitted.", ["omitted"]),
        # What answers the item is its content, however short.
        ("The Company owns a mill in Ohio.", []),
        ("We are a defendant in two suits; we deny all claims.", []),
        ("None of our mills is idle. We run nine of them, all at night too, since 1911.", []),
    ],
)
def test_a_short_answer_is_a_mark_and_a_short_text_is_not(body: str, expected: list[str]) -> None:
    assert codes(f"ITEM 3. {LEGAL}\n\n{body}", LEGAL) == expected


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (
            "As a smaller reporting company we are not required to give this.",
            "smaller reporting company",
        ),
        (
            "Omitted pursuant to General Instruction I(2)(c) of Form 10-K.",
            "general instruction i(2)",
        ),
        ("Omitted pursuant to General Instruction J of Form 10-K.", "general instruction j"),
        ("Not required.", "not required"),
        ("Not applicable to a small business issuer.", "small business issuer"),
    ],
)
def test_an_omission_has_its_reason(body: str, reason: str) -> None:
    marks, _ = marks_of(f"Item 7A. Market Risk\n{body}", "Market Risk", "item_7a", "10-K")
    assert marks == [{"code": "omitted", "reason": reason}]


def test_the_heading_itself_may_give_the_answer() -> None:
    assert codes("Item 4. Mine Safety - Not applicable", "Mine Safety - Not applicable") == [
        "not_applicable"
    ]
    assert codes("Item 6. [Reserved]", "[Reserved]", "item_6") == ["reserved"]
    assert codes("Item 1. Business", "Business", "item_1") == []


def test_a_pointer_names_document_and_pages() -> None:
    text = (
        "ITEM 7. MANAGEMENT'S DISCUSSION AND\nANALYSIS\n\n   The information required by this item"
        " is incorporated herein by\nreference to pages 20 through 31 of the Annual Report to"
        " Shareholders, which is\nExhibit 13 to this report."
    )
    marks, references = marks_of(text, "MANAGEMENT'S DISCUSSION AND ANALYSIS", "item_7", "10-K405")
    assert marks == [
        {
            "code": "incorporated_by_reference",
            "to": "exhibit 13",
            "also": ["annual report"],
            "pages": "20-31",
        }
    ]
    assert [(r["to"], r["pages"], r["item"]) for r in references] == [
        ("exhibit 13", "20-31", None),
        ("annual report", "20-31", None),
    ]
    assert references[0]["text"].startswith("The information required by this item")


def test_officers_listed_beside_a_pointer_are_partly_incorporated() -> None:
    officers = " ".join(
        f"Officer Number{n}, aged {40 + n}, has led the mill at Place{n} since 199{n}."
        for n in range(6)
    )
    text = (
        "Item 10. Directors\nInformation on directors is incorporated by reference to the proxy"
        f" statement.\n\n{officers}"
    )
    assert marks_of(text, "Directors", "item_10", "10-K")[0] == [
        {"code": "partly_incorporated", "to": "proxy statement"}
    ]
    # Without the pointer there is nothing to mark.
    assert codes(f"Item 10. Directors\n{officers}", "Directors", "item_10") == []


def test_a_list_of_statements_beside_a_pointer_is_part_of_it() -> None:
    text = (
        "Item 8. Financial Statements\n\nThese statements of the annual report to shareholders,"
        " are incorporated by reference:\n\nConsolidated Balance Sheets -- December 31, 1997.\n\n"
        "Consolidated Statements of Cash Flows -- Years ended December 31, 1997.\n\nReport of"
        " Independent Auditors."
    )
    assert marks_of(text, "Financial Statements", "item_8", "10-K")[0] == [
        {"code": "incorporated_by_reference", "to": "annual report"}
    ]


def test_a_long_section_is_no_pointer_however_often_it_mentions_one() -> None:
    text = "Item 1. Business\n" + "We mill grain and sell flour to bakers in nine states. " * 300
    text += "Exhibit 10 is incorporated by reference to our Form 8-K. None."
    assert codes(text, "Business", "item_1") == []


def test_a_list_of_exhibits_is_not_itself_incorporated() -> None:
    exhibits = "\n\n".join(
        f"10.{n} Lease {n} (incorporated by reference to Exhibit 10.{n} to our Form 8-K)."
        for n in range(60)
    )
    marks, references = marks_of(f"Item 15. Exhibits\n{exhibits}", "Exhibits", "item_15", "10-K")
    assert marks == []
    assert len(references) == MOST
    assert codes(f"Item 6. Exhibits\n{exhibits}", "Exhibits", "item_6", "10-Q") == []


def test_a_pointer_inside_the_filing_is_told_from_one_outside() -> None:
    inside = "Item 3. Legal\nSee Note 12 to the financial statements in Item 8 of this Form 10-K."
    assert marks_of(inside, "Legal", "item_3", "10-K")[0] == [
        {"code": "elsewhere_in_filing", "to": "item_8"}
    ]
    outside = "Item 3. Market Risk\nSee Item 7A of our Annual Report on Form 10-K."
    marks, references = marks_of(outside, "Market Risk", "item_3", "10-Q")
    assert marks == [{"code": "incorporated_by_reference", "to": "form 10-k"}]
    assert (references[0]["to"], references[0]["item"]) == ("form 10-k", "item_7a")


def test_items_of_other_rules_are_no_items_of_the_filing() -> None:
    text = (
        "Item 9B. Other Information\nNo officer adopted an arrangement as in Item 408 of Regulation"
        " S-K. We reported under Item 5.02 of Form 8-K. See Items 1A, 3 and 7A; Part II, Item 5."
    )
    references = marks_of(text, "Other Information", "item_9b", "10-K")[1]
    assert [r["item"] for r in references if r["item"]] == [
        "item_1a",
        "item_3",
        "item_7a",
        "item_5",
    ]
    assert references[3]["part"] == "part_ii"


def test_unchanged_risks_say_since_when() -> None:
    text = (
        "Item 1A. Risk Factors\nThere have been no material changes to the risk factors in our"
        " Annual Report on Form 10-K."
    )
    assert marks_of(text, "Risk Factors", "item_1a", "10-Q")[0] == [
        {"code": "unchanged", "since": "form 10-k"}
    ]


def test_accountants_that_stay_are_none_and_not_unchanged_risks() -> None:
    text = "Item 9. Accountants\nThere has been no change of accountants nor any disagreement."
    assert codes(text, "Accountants", "item_9") == ["none"]


@pytest.mark.parametrize(
    ("words", "pages"),
    [
        ("on pages 20 through 31", "20-31"),
        ("pages 4 to 10, 12, and 14-16 of the report", "4-10, 12, 14-16"),
        ("see page F-1", "F-1"),
        ("pages F-2 through F-20", "F-2-F-20"),
        ("page 12 and pages 14 and 15", "12, 14, 15"),
        ("in 20 pages", None),
        ("the pages of history", None),
    ],
)
def test_pages_are_read_as_filers_write_them(words: str, pages: str | None) -> None:
    assert pages_in(words) == pages


def test_the_filing_itself_is_no_other_document() -> None:
    assert documents_in("in Item 8 of this Annual Report on Form 10-K") == []
    assert documents_in("required by Item 10 of Form 10-K") == []
    assert documents_in("our Annual Report on Form 10-K for 2022") == ["form 10-k"]
    assert documents_in("the 1996 Annual Report to Shareholders") == ["annual report"]


def test_the_body_is_without_heading_and_furniture() -> None:
    text = (
        "Item 1B.  Unresolved\n  Staff Comments\n\nNone.\n\nMill Co | 2024 Form 10-K | 17\n\n<PAGE>"
    )
    assert body_of(text, "Unresolved Staff Comments") == "None"
    # A title that is not there takes nothing away.
    assert body_of("Item 2. We own a mill.", "Properties") == "We own a mill"


def test_marks_are_json_and_bounded_on_hostile_text() -> None:
    hostile = "Item 1. Business\n" + "see pages 1 to " * 3000 + "“" * 500 + "(" * 5000
    issues, references = marks_of(hostile, "Business", "item_1", "10-K")
    json.dumps([issues, references])
    assert len(references) <= MOST
    assert all(len(r["text"]) <= 300 for r in references)
