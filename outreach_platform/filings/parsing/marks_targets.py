"""The documents that filers send their readers to, and how a sentence names them."""

import re

# In this order: "Annual Report on Form 10-K" is no annual report to shareholders.
_DOCUMENTS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(pattern, re.I))
    for name, pattern in (
        (
            "proxy statement",
            r"\bproxy\b(?:[\s/]+(?:and|or)?[\s/]*information)?\s+(?:statement|material)",
        ),
        ("proxy statement", r"\binformation\s+statement\b"),
        ("exhibit 13", r"\bex(?:hibit|\.|-)?\s*\(?13\b(?:[.(][\w.()]*)?"),
        (
            "annual report",
            r"\bannual\s+reports?\b(?!\s+(?:\w+\s+){0,6}?(?:on|in)\s+form\s+10)",
        ),
        ("form 10-k", r"\bform\s+10-?k(?:405|/a)?\b"),
        ("form 10-q", r"\bform\s+10-?q(?:/a)?\b"),
        ("form 8-k", r"\bform\s+8-?k(?:/a)?\b"),
        ("registration statement", r"\bregistration\s+statement\b"),
        ("prospectus", r"\bprospectus\b"),
        ("pooling and servicing agreement", r"\bpooling\s+and\s+servicing\s+agreement\b"),
    )
)
_EXHIBIT = re.compile(r"\bexhibits?\s+\(?(\d{1,3}(?:\.\d{1,3})?)", re.I)
_DASH = r"[-\u2010-\u2015\u2212]"
_PAGE = r"(?:[A-Z]{1,2}-?)?\d{1,4}(?:[A-Za-z](?![A-Za-z]))?"
_PAGES = re.compile(
    rf"\bpages?\s+(?P<list>{_PAGE}(?:(?:\s*(?:{_DASH}|,|through|thru|to|and|&|\bpages?\b))+\s*{_PAGE})*)",
    re.I,
)
_TO = re.compile(rf"\s*(?:{_DASH}|through|thru|\bto\b)\s*", re.I)
_AND = re.compile(r"(?:\s*(?:,|\band\b|&|\bpages?\b))+\s*", re.I)


# "This Form 10-K" is the filing itself.
_ITSELF = re.compile(
    r"\b(?:this|the\s+present)\s+(?:(?:combined|transition|annual|quarterly|amended)\s+)*"
    r"(?:reports?(?:\s+(?:on|in)\s+form\s+10-?[kq]\S*)?|form\s+10-?[kq]\S*)|"
    r"\bitems?\s+[\w,\s()]{1,30}?\bof\s+form\s+10-?[kq]\b",
    re.I,
)
# Where items of this filing would be answered: a mention is a reference by itself.
STANDING = ("proxy statement", "annual report", "exhibit 13")


def documents_in(words: str) -> list[str]:
    """The documents that words name, each once, in a fixed order.

    Args:
        words: a sentence.

    Returns:
        Names in lower case: `proxy statement`, `annual report`, `exhibit 13`, `form 10-k` …
    """
    words = _ITSELF.sub(" ", words)
    found = dict.fromkeys(name for name, pattern in _DOCUMENTS if pattern.search(words))
    for number in _EXHIBIT.findall(words):
        if number.partition(".")[0] != "13":
            found[f"exhibit {number}"] = None
    return list(found)


def pages_in(words: str) -> str | None:
    """The pages that words name, as `12-34` or `12-34, 40, F-1-F-20`; None where there are none."""
    found: list[str] = []
    for match in _PAGES.finditer(words):
        whole = _TO.sub("-", match["list"])
        for part in _AND.split(whole):
            if part and part not in found:
                found.append(part)
    return ", ".join(found) or None
