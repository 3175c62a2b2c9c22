"""Choosing among candidates: the best sequence, not the first match."""

from outreach_platform.filings.parsing.headings import Heading
from outreach_platform.filings.parsing.items import catalogue
from outreach_platform.filings.parsing.outline import Candidate, choose

ITEMS = catalogue("10-K", 1997)
SLOTS = {item.number: slot for slot, item in enumerate(ITEMS)}


def candidate(line: int, *numbers: str, score: float = 5.0) -> Candidate:
    heading = Heading("item", line, line, line * 10, line * 10 + 5, line * 10 + 5)
    slots = tuple(SLOTS[number] for number in numbers)
    return Candidate(heading, slots, score, frozenset(), "", heading.end)


def chosen(*candidates: Candidate) -> list[int]:
    return [one.heading.first for one in choose(candidates, ITEMS).chosen]


def test_the_sequence_of_highest_score_wins() -> None:
    mention = candidate(2, "7", score=3.0)
    assert chosen(candidate(1, "1"), mention, candidate(3, "2"), candidate(4, "7")) == [1, 3, 4]


def test_of_equal_headings_the_first_counts() -> None:
    assert chosen(candidate(1, "1"), candidate(2, "7"), candidate(3, "7")) == [1, 2]


def test_what_is_weak_is_left_out() -> None:
    assert chosen(candidate(1, "1"), candidate(2, "2", score=1.0)) == [1]


def test_only_a_strong_heading_counts_out_of_order() -> None:
    front = [candidate(1, "1"), candidate(2, "2"), candidate(3, "9")]
    outline = choose([*front, candidate(4, "8", score=6.0)], ITEMS)
    assert [one.heading.first for one in outline.chosen] == [1, 2, 3, 4] or outline.astray
    strong = choose([*front, candidate(4, "10"), candidate(5, "8", score=6.0)], ITEMS)
    assert strong.astray == {5}
    weak = choose([*front, candidate(4, "10"), candidate(5, "8", score=3.0)], ITEMS)
    assert weak.astray == frozenset()
    assert 5 not in [one.heading.first for one in weak.chosen]


def test_a_combined_heading_leaves_room_for_what_stands_between() -> None:
    later = catalogue("10-K", 2024)
    slots = {item.number: slot for slot, item in enumerate(later)}
    both = Candidate(
        Heading("item", 1, 1, 10, 15, 15), (slots["1"], slots["2"]), 5.0, frozenset(), "", 15
    )
    risks = Candidate(Heading("item", 2, 2, 20, 25, 25), (slots["1A"],), 5.0, frozenset(), "", 25)
    again = Candidate(Heading("item", 3, 3, 30, 35, 35), (slots["2"],), 2.5, frozenset(), "", 35)
    outline = choose([both, risks, again], later)
    assert [one.heading.first for one in outline.chosen] == [1, 2]
    assert outline.astray == frozenset()
