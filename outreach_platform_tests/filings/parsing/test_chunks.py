import hashlib
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outreach_platform.filings.model import Section, chunk_id, section_id
from outreach_platform.filings.parsing.chunks import extract_chunks
from outreach_platform.filings.parsing.document import Document, Line
from outreach_platform.filings.parsing.html import read_html
from outreach_platform.filings.parsing.tokens import count_tokens
from outreach_platform.filings.schema import COLUMNS

ACCESSION = "0000000001-24-000001"
PROSE = "The Company sells widgets in 12 states and expects demand to grow. "


def section(document: Document, start: int = 0, end: int | None = None, **more) -> Section:
    values = {"section_type": "item_1", "section_part": "part_i", "title": "Business"} | more
    stop = len(document.text) if end is None else end
    return Section(start=start, end=stop, confidence=1.0, method="heading_scan", **values)


def one_line(text: str) -> Document:
    return Document(text, [Line(0, len(text))], [], "text")


def by_level(rows: list[dict]) -> tuple[list[dict], list[dict], list[dict]]:
    one, two, three = ([r for r in rows if r["chunk_level"] == level] for level in (1, 2, 3))
    return one, two, three


def chunks_of(document: Document, **more):
    rows = extract_chunks(document, [section(document, **more)], ACCESSION)
    check(document.text, rows)
    return by_level(rows)


def check(content: str, rows: list[dict]) -> None:
    """What holds for the chunks of any section."""
    sections, topics, paragraphs = by_level(rows)
    assert [row["chunk_text"] for row in sections] == ([content] if content.strip() else [])
    for level in (sections, topics, paragraphs):
        assert [row["chunk_index"] for row in level] == list(range(len(level)))
        assert covered(content, level)
        for row in level:
            text = row["chunk_text"]
            assert content[row["char_start"] : row["char_end"]] == text
            assert row["chunk_level"] == 1 or (text and text == text.strip())
    for row in topics:
        assert row["token_count"] == count_tokens(row["chunk_text"]) <= 1000
        assert len(topics) == 1 or row["token_count"] >= 500
    for before, behind in pairwise(topics):
        shared = count_tokens(content[behind["char_start"] : before["char_end"]])
        assert 100 <= shared <= 130
    spans = {row["chunk_id"]: (row["char_start"], row["char_end"]) for row in topics}
    for before, behind in pairwise(paragraphs):
        assert before["char_end"] <= behind["char_start"]
    for row in paragraphs:
        start, end = spans[row["parent_chunk_id"]]
        assert start <= row["char_start"] < row["char_end"] <= end


def covered(content: str, rows: list[dict]) -> bool:
    held = bytearray(len(content))
    for row in rows:
        held[row["char_start"] : row["char_end"]] = b"\1" * len(row["chunk_text"])
    return all(here or character.isspace() for here, character in zip(held, content, strict=True))


def test_rows_have_the_columns_of_the_table_and_the_ids_of_the_model():
    document = read_html(f"<p>Item 1. Business</p><p>{PROSE}</p>")
    rows = extract_chunks(document, [section(document)], ACCESSION)
    assert [row["chunk_level"] for row in rows] == [1, 2, 3]
    for row in rows:
        assert [*row, "created_at"] == list(COLUMNS["chunks"])
        key = (ACCESSION, "part_i", "item_1")
        assert row["chunk_id"] == chunk_id(*key, row["chunk_level"], row["chunk_index"])
        assert row["section_id"] == section_id(*key)
    assert [row["parent_chunk_id"] for row in rows] == [
        None,
        rows[0]["chunk_id"],
        rows[1]["chunk_id"],
    ]


@pytest.mark.parametrize("text", ["", " \n\n \t"])
def test_a_section_without_text_has_no_chunks(text: str):
    document = one_line(f"{text}Next section")
    assert extract_chunks(document, [section(document, 0, len(text))], ACCESSION) == []
    assert len(extract_chunks(document, [section(document, len(text))], ACCESSION)) == 3


def test_a_short_section_is_one_topic_however_short():
    _, topics, paragraphs = chunks_of(read_html("<p>Item 4. Mine Safety. None.</p>"))
    assert [row["chunk_text"] for row in topics] == ["Item 4. Mine Safety. None."]
    assert len(paragraphs) == 1


def test_topics_begin_at_headings_where_the_size_allows():
    body = "".join(f"<p>{PROSE * 6}</p>" for _ in range(7))
    markup = "".join(f"<p><b>Segment {name}</b></p>{body}" for name in "ABC")
    _, topics, _ = chunks_of(read_html(markup))
    assert [row["heading"] for row in topics] == ["Segment A", "Segment B", "Segment C"]
    assert "Segment C" not in topics[1]["chunk_text"]


def test_a_heading_is_never_the_end_of_a_topic():
    sizes = (30, 8, 25, 9, 40, 12, 7, 33)
    markup = "".join(
        f"<p align=center><b>Part {n}</b></p><p><b>Sub {n}</b></p><p>{PROSE * size}</p>"
        for n, size in enumerate(sizes)
    )
    _, topics, paragraphs = chunks_of(read_html(markup))
    assert len(topics) > 2
    for row in (*topics, *paragraphs):
        last = row["chunk_text"].rpartition("\n")[2]
        assert not last.startswith(("Part", "Sub"))


def test_a_long_paragraph_is_cut_at_the_end_of_a_sentence():
    _, topics, paragraphs = chunks_of(read_html(f"<p>{PROSE * 200}</p>"))
    assert len(topics) > 3
    assert all(row["chunk_text"].endswith("grow.") for row in topics)
    assert all(row["chunk_text"].startswith("The Company") for row in (*topics, *paragraphs))


def test_a_tail_of_few_tokens_joins_the_chunk_before():
    paragraph = f"<p>{PROSE * 10}</p>"
    for copies in range(4, 18):
        _, topics, _ = chunks_of(read_html(paragraph * copies + "<p>Exhibit 99.</p>"))
        assert topics[-1]["chunk_text"].endswith("Exhibit 99.")


def test_a_table_of_3000_rows_is_cut_between_rows():
    rows = "".join(f"<tr><td>Line {n}</td><td>{n},000</td><td>({n})</td></tr>" for n in range(3000))
    document = read_html(f"<p>{PROSE}</p><table>{rows}</table>")
    _, topics, paragraphs = chunks_of(document)
    assert len(topics) > 20
    whole = set(document.text.splitlines())
    for row in (*topics, *paragraphs):
        assert set(row["chunk_text"].split("\n")) - {""} <= whole
    assert all(row["token_count"] <= 450 for row in paragraphs)
    assert all(row["contains_tables"] and row["contains_numbers"] for row in topics)


def test_a_line_of_200_kb_without_a_space_is_cut_nonetheless():
    chunks_of(one_line(hashlib.shake_256(b"widgets").hexdigest(100_000)))


def test_what_a_reader_left_out_of_its_lines_is_covered_all_the_same():
    text = f"Lost words.\n\n{PROSE}\n\nMore lost words."
    start = text.index("The Company")
    document = Document(text, [Line(start, start + len(PROSE.strip()))], [], "text")
    chunks_of(document)
    chunks_of(Document(text, [], [], "text"))


def test_offsets_count_from_the_section_even_inside_a_line():
    document = one_line("Item 3. None. Item 4. Mine Safety Disclosures. None either.")
    start = document.text.index("Item 4")
    rows = extract_chunks(document, [section(document, start)], ACCESSION)
    check(document.text[start:], rows)
    assert rows[1]["chunk_text"] == document.text[start:]


def test_flags_tell_tables_and_numbers():
    table = "<table><tr><td>Cash</td><td>5</td></tr><tr><td>Debt</td><td>7</td></tr></table>"
    bullets = "<table><tr><td>•</td><td>we may lose customers</td></tr></table>"
    _, _, plain = chunks_of(read_html(f"<p>Nothing is counted in this sentence.</p>{bullets}"))
    assert [(r["contains_tables"], r["contains_numbers"]) for r in plain] == [(False, False)]
    _, (topic,), _ = chunks_of(read_html(f"<p>{PROSE}</p>{table}"))
    assert topic["contains_tables"]
    assert topic["contains_numbers"]


def test_the_same_document_gives_the_same_rows():
    markup = f"<p><b>One</b></p><p>{PROSE * 90}</p><p><b>Two</b></p><p>{PROSE * 30}</p>"
    first, second = read_html(markup), read_html(markup)
    assert chunks_of(first) == chunks_of(second)


_WORDS = st.sampled_from(
    [
        "revenue",
        "the",
        "of",
        "$1,234",
        "(5)%",
        "GAAP",
        "é",
        "现金",
        "🙂",
        "x" * 70,
        "end.",
        "\u2013",
        "a;",
    ]
)
_LINES = st.lists(_WORDS, min_size=1, max_size=400).map(" ".join)


_GAPS = st.sampled_from(["\n", "\n\n", "\n \n", "\n      ", "  \n\n\n"])


@st.composite
def documents(draw: st.DrawFn) -> Document:
    text, lines = "", []
    for number in range(draw(st.integers(0, 12))):
        text += draw(_GAPS) if number else ""
        words = draw(_LINES) * draw(st.sampled_from([1, 1, 4]))
        style = draw(st.sampled_from([{}, {}, {"bold": True}, {"table": 0}, {"centred": True}]))
        lines.append(Line(len(text), len(text) + len(words), **style))
        text += words
    return Document(text, lines, [], "text")


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(documents(), st.integers(0, 60))
def test_chunks_cover_any_section_in_order_and_in_size(document: Document, heading_end: int):
    chunks_of(document, heading_end=heading_end)
