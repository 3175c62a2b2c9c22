import bisect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach_platform.filings.parsing.tokens import TokenIndex, count_tokens


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        (" \n\t", 0),
        ("The risk is real.", 5),
        ("notwithstanding", 2),
        ("COVENANT", 2),
        ("$ 1,234", 5),
        ("......................", 2),
        ("Cash      100", 3),
        ("现金", 2),
    ],
)
def test_words_numbers_and_marks_count(text: str, tokens: int):
    assert count_tokens(text) == tokens


def test_prose_has_about_five_characters_a_token():
    prose = (
        "The Company\u2019s business, reputation, results of operations, financial condition and "
        "stock price can be affected by a number of factors, whether currently known or unknown."
    )
    assert 4.5 < len(prose) / count_tokens(prose) < 6


@given(st.text(alphabet=st.sampled_from("aZ9 .,-\n$é\u2013现\u00a0")), st.data())
def test_counts_between_tokens_agree_with_the_slice(text: str, data: st.DataObject):
    index = TokenIndex(text)
    words = [start for start in index.starts if not text[start].isspace()]
    if not words:
        return
    start = data.draw(st.sampled_from(words))
    end = data.draw(st.sampled_from([*index.starts[bisect.bisect(index.starts, start) :]] or [0]))
    end = end or len(text)
    slice_ = text[start:end].rstrip()
    assert index.count(start, start + len(slice_)) == count_tokens(slice_)
