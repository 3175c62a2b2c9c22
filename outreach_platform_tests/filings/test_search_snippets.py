import re

from hypothesis import given
from hypothesis import strategies as st

from outreach_platform.filings.search_snippets import LENGTH, Finder, snippet


def finder(*terms: str, phrase: str | None = None) -> Finder:
    patterns = (re.compile(phrase),) if phrase else ()
    return Finder(patterns, frozenset(terms), {term: term for term in terms})


def test_the_place_is_where_most_of_the_words_stand_together():
    text = f"risk {'x ' * 300} supply {'y ' * 300} supply chain risk {'z ' * 300} chain"
    assert text[finder("supply", "chain", "risk").find(text) :].startswith("supply chain risk")


def test_the_first_place_counts_where_several_are_as_good():
    text = f"tax {'x ' * 300} tax"
    assert finder("tax").find(text) == 0
    assert finder("tax", "tax").find(f"  {text}") == 2


def test_a_phrase_goes_before_words():
    text = f"going far, a concern {'x ' * 300} going concern"
    place = finder("going", "concern", phrase="going concern").find(text)
    assert place == text.rindex("going concern")


def test_without_a_match_the_text_begins():
    assert finder("tax").find("nothing here") == 0
    assert finder().find("") == 0


def test_a_word_longer_than_the_window_is_found():
    word = "x" * 1000
    assert finder(word, "a").find(f"b {word} a") == 2


def test_a_snippet_is_cut_between_words():
    words = [f"word{n}" for n in range(200)]
    text = "\n".join(words)
    line = snippet(text, text.index("word100"))
    assert line.startswith("…")
    assert line.endswith("…")
    assert line[1:-1].split(" ") == words[int(line[5:7]) : int(line[5:7]) + line.count(" ") + 1]
    assert "word100" in line


@given(st.text(st.sampled_from("ab \n\t."), max_size=900), st.integers(0, 899))
def test_a_snippet_holds_its_place_on_one_line(text: str, place: int):
    place = min(place, max(len(text) - 1, 0))
    line = snippet(text, place)
    assert len(line) <= LENGTH + 2
    assert "\n" not in line
    assert "\t" not in line
    found = re.compile(r"\w{1,60}").match(text, place)
    if found:
        assert found[0] in line
