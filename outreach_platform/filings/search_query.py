"""What somebody typed into the search, as words, phrases and filters."""

import re
import unicodedata
from dataclasses import dataclass

from outreach_platform.filings.model import ACCEPTED_FORMS, FORMS
from outreach_platform.filings.search_index import STOP_WORDS
from outreach_platform.foundation.errors import UsageError

_LONGEST = 20_000
_PHRASES = 20
_WORD = re.compile(r"[a-z0-9]+")
_PHRASE = re.compile(r'"([^"]*)"')
# One kind of quotes in what is typed, any kind in the texts.
_QUOTES = str.maketrans("\u2018\u2019\u201b\u201c\u201d\u201e", "'''\"\"\"")
_KINDS = {"'": "['\u2018\u2019\u201b]", '"': '["\u201c\u201d\u201e]', " ": "[\\s\u00a0]+"}


@dataclass(frozen=True, slots=True)
class Query:
    """A search.

    Attributes:
        words: what ranks the answers, in small letters, without stop words; those of the phrases
            included.
        phrases: what has to occur literally but for case, white space and the kind of quotes.
    """

    words: tuple[str, ...]
    phrases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Filters:
    """Which filings to search.

    Attributes:
        company: ticker, CIK, or part of the name.
        forms: form types; empty for all.
        year: of the filing.
    """

    company: str | None = None
    forms: tuple[str, ...] = ()
    year: int | None = None


def read_query(text: str) -> Query:
    """Read what was typed; a phrase stands in double quotes, a lone quote means nothing.

    Raises:
        UsageError: it holds no word that could be found, or is longer than any query.
    """
    if len(text) > _LONGEST:
        raise UsageError(
            f"the search text has {len(text)} characters, at most {_LONGEST} are searched for: "
            "leave the most telling words"
        )
    plain = _normalized(text)
    phrases = tuple(
        dict.fromkeys(phrase for found in _PHRASE.findall(plain) if (phrase := found.strip()))
    )
    if len(phrases) > _PHRASES:
        raise UsageError(
            f"the search text has {len(phrases)} phrases in double quotes, at most {_PHRASES} can "
            "be asked for: leave the most telling"
        )
    words = words_of(plain)
    telling = tuple(dict.fromkeys(word for word in words if word not in STOP_WORDS))
    if not words:
        raise UsageError("the search text holds no word and no number: name what to look for")
    if not telling and not any(words_of(phrase) for phrase in phrases):
        raise UsageError(
            "the search text holds only words that nearly every text has: add a telling one, or "
            "put them in double quotes to find them as they stand"
        )
    return Query(telling, phrases)


def read_filters(company: str | None, form: str | None, year: int | None) -> Filters:
    """Check the filters.

    A form finds its amendments too: `10-K` stands for `10-K` and `10-K/A`, not for `10-K405`.

    Raises:
        UsageError: there is no such form, or the company is empty.
    """
    if company is not None and not company.strip():
        raise UsageError("the company to search is empty: give a ticker, a CIK or part of a name")
    forms: tuple[str, ...] = ()
    if form is not None:
        wanted = form.strip().upper()
        if wanted not in ACCEPTED_FORMS:
            raise UsageError(f"no form {form[:20]!r} is here: one of {', '.join(FORMS)}, or its /A")
        forms = tuple(dict.fromkeys((wanted, f"{wanted.removesuffix('/A')}/A")))
    return Filters(company.strip() if company else None, forms, year)


def words_of(text: str) -> list[str]:
    """The words and numbers of a text as the index has them, but not stemmed."""
    decomposed = unicodedata.normalize("NFD", text.lower())
    return _WORD.findall("".join(c for c in decomposed if not unicodedata.combining(c)))


def pattern_of(phrase: str) -> str:
    """The regular expression of a phrase, for Python and for DuckDB, case to be ignored."""
    return "".join(_KINDS.get(character, re.escape(character)) for character in phrase)


def _normalized(text: str) -> str:
    """A text in small letters, with one kind of quotes, and single spaces."""
    return " ".join(text.translate(_QUOTES).lower().split())
