"""First and last name out of a full name.

Middle names stay with the first, so that the master's `first_name || ' ' || last_name` keeps them.
Two last names without a hyphen cannot be told from a middle name: only the second one is taken.

A rule of our own, because the library for it (nameparser 2.6) was right no more often on real names
and took some for titles (`Sheikh Rahman`) or degrees (`Ed Ra`).
"""

import re

from outreach_platform.records.rules import PLACEHOLDERS

_TITLES = {
    *("dr", "mr", "mrs", "ms", "miss", "mx", "prof", "professor", "hon", "honorable"),
    *("honourable", "rev", "reverend", "sir", "the"),
}
_SUFFIXES = {
    *("jr", "sr", "ii", "iii", "iv", "2nd", "3rd", "4th", "esq", "esquire", "phd"),
}
# Only in capitals: several of them are last names otherwise.
_CAPITAL_SUFFIXES = {
    *("V", "MD", "DO", "DDS", "DMD", "JD", "MBA", "MPA", "MHA", "RN", "PE", "CPA", "CMA", "CFA"),
    *("CFP", "PHR", "SPHR", "SHRM-CP", "SHRM-SCP"),
}
# Words that belong to the last name behind them.
_PARTICLES = {
    *("da", "das", "de", "del", "della", "den", "der", "des", "di", "do", "dos", "du", "el", "la"),
    *("las", "le", "los", "san", "santa", "st", "ste", "ten", "ter", "van", "vander", "von", "zu"),
}
_ASIDE = re.compile(r'\([^()]*\)|"[^"]*"|[\u201c\u201d][^\u201c\u201d]*[\u201c\u201d]')
# str.split keeps these together with the word they stand at.
_INVISIBLE = re.compile("[\u200b\u2060\ufeff]")


def split_name(full_name: str | None) -> tuple[str, str] | None:
    """First and last name, None when the text does not say which word is which.

    Titles (Dr., Hon.), suffixes (Jr., III, CPA) and nicknames in quotes or brackets are dropped;
    particles (de la, van der) belong to the last name; `Last, First` is read as such. None is the
    answer to a single word, a placeholder, two people (`Ann and Bob Lee`), and to a comma that
    could part off a first name as well as a degree (`Ford, J.D.`).
    """
    text = _INVISIBLE.sub("", full_name or "")
    if text.strip().casefold() in PLACEHOLDERS:
        return None
    parts = [part.split() for part in _ASIDE.sub(" ", text).split(",")]
    parts = [part for part in parts if part]
    while len(parts) > 1 and all(map(_is_suffix, parts[-1])):
        parts.pop()
    if len(parts) == 1:
        names = _in_natural_order(_without_suffixes(_without_titles(parts[0])))
    elif len(parts) == 2:
        names = _last_first(_without_suffixes(parts[0]), _without_titles(parts[1]))
    else:
        names = None
    return names if names and all(map(_is_name, names)) else None


def _in_natural_order(words: list[str]) -> tuple[str, str] | None:
    # A small particle in front is a last name alone; a capital one, as in Van Johnson, is a name.
    if len(words) < 2 or words[0] in _PARTICLES:
        return None
    start = len(words) - 1
    while start > 1 and _plain(words[start - 1]) in _PARTICLES:
        start -= 1
    return " ".join(words[:start]), " ".join(words[start:])


def _last_first(last: list[str], first: list[str]) -> tuple[str, str] | None:
    first = _without_suffixes(first)
    credentials = "".join(first).isupper() and not "".join(last).isupper()
    if len(last) > 1 and len(first) == 1 and len(first[0]) > 2 and credentials:
        return None
    while len(first) > 1 and first[-1] in _PARTICLES:
        last = [first.pop(), *last]
    return " ".join(first), " ".join(last)


def _without_titles(words: list[str]) -> list[str]:
    start = 0
    while start < len(words) and _plain(words[start]) in _TITLES:
        start += 1
    return words[start:]


def _without_suffixes(words: list[str]) -> list[str]:
    end = len(words)
    while end > 1 and _is_suffix(words[end - 1]):
        end -= 1
    return words[:end]


def _is_suffix(word: str) -> bool:
    return _plain(word) in _SUFFIXES or word.replace(".", "") in _CAPITAL_SUFFIXES


def _is_name(text: str) -> bool:
    """Whether there are letters in it, and no second person."""
    words = text.casefold().split()
    return "&" not in text and "and" not in words and any(map(str.isalpha, text))


def _plain(word: str) -> str:
    return word.casefold().replace(".", "")
