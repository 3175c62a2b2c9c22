"""Single values of metadata as people and machines write them: dates, forms, numbers, names."""

import re
from datetime import date

UNKNOWN_FORM = "unknown"

_ACCESSION = re.compile(
    r"(?<!\d)(\d{10})-(\d{2})-(\d{6})(?!\d)|(?<!\d)(\d{10})(\d{2})(\d{6})(?!\d)"
)
_MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}
_MONTH = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|"
    r"sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_DATES = tuple(
    re.compile(pattern, re.I)
    for pattern in (
        r"(?P<year>\d{4})-(?P<m>\d{1,2})-(?P<day>\d{1,2})(?!\d)",
        r"(?P<year>\d{4})/(?P<m>\d{1,2})/(?P<day>\d{1,2})(?!\d)",
        r"(?P<year>\d{4})(?P<m>\d{2})(?P<day>\d{2})(?!\d)",
        r"(?P<m>\d{1,2})\s?[/.-]\s?(?P<day>\d{1,2})\s?[/.-]\s?(?P<year>\d{4}|\d{2})(?!\d)",
        _MONTH + r"\s*(?P<day>\d{1,2})(?:st|nd|rd|th)?\s*[,.]?\s*(?P<year>\d{4})(?!\d)",
        r"(?P<day>\d{1,2})(?:st|nd|rd|th)?[\s-]*(?:day of )?"
        + _MONTH
        + r"[,\s-]*(?P<year>\d{4})(?!\d)",
    )
)
_DAY_FIRST = re.compile(
    r"(?P<day>\d{1,2})\s?[/.-]\s?(?P<m>\d{1,2})\s?[/.-]\s?(?P<year>\d{4})(?!\d)"
)
_OLDEST, _LATEST = 1980, 2100
_PERIODIC = re.compile(
    r"10-?([KQ])-?(T405|405T|TSB|SB40|40SB|SB|T|405|40[0-9])?"
    r"(?P<amended>[/-]?A(?:MENDED|MENDMENT)?(?:-?NO\.?\d+|-?\d+)?|\(?AMENDMENTNO\.?\d+\)?)?"
)
_OTHER_FORM = re.compile(r"[A-Z0-9][A-Z0-9 ./-]{0,24}")
_NO_VALUE = frozenset(
    ("", "n/a", "na", "n.a.", "none", "null", "nil", "unknown", "-", "--", "not applicable", "nan")
)
_LEGAL = frozenset(
    (
        *("inc", "incorporated", "corp", "corporation", "co", "company", "companies", "ltd"),
        *("limited", "llc", "lp", "plc", "the", "and", "of", "sa", "nv", "ag", "cos"),
    )
)
# `/DE/`, `/NEW/`, `\\MD\\`: the state or the mark that EDGAR puts behind a name.
_EDGAR_MARK = re.compile(r"[/\\]\s*[a-z]{0,4}\s*[/\\]?\s*$", re.I)
_WORD = re.compile(r"\w+")


def find_accession(text: str) -> str | None:
    """The first accession number in a text, with its dashes; 18 bare digits are one too."""
    found = _ACCESSION.search(text)
    return "-".join(part for part in found.groups() if part) if found else None


def accession_of(value: str | None) -> str | None:
    """A value that is an accession number and nothing else, with its dashes; else None."""
    text = (value or "").strip()
    found = _ACCESSION.fullmatch(text)
    return find_accession(text) if found else None


def cik_of(value: str | None) -> str | None:
    """A CIK padded to ten digits; None for what is none."""
    text = (value or "").strip().upper().removeprefix("CIK").strip(" :#")
    text = text.removesuffix(".0")
    if not (text.isascii() and text.isdigit()) or len(text) > 10 or not int(text):
        return None
    return text.zfill(10)


def date_of(value: str | None, *, day_first: bool = False) -> date | None:
    """A date with a year in any of the usual spellings; None for anything else.

    Args:
        value: for example `2024-09-28`, `20240928`, `9/28/2024`, `Sept. 28, 2024`.
        day_first: whether `3/4/2024` is in April, which no American means.
    """
    found = find_date((value or "").strip(), day_first=day_first)
    return found[0] if found else None


def find_date(text: str, *, day_first: bool = False) -> tuple[date, int] | None:
    """The date that a text begins with, and the offset behind it."""
    for pattern in (*([_DAY_FIRST] if day_first else []), *_DATES):
        found = pattern.match(text)
        made = _made(found.groupdict()) if found else None
        if found and made:
            return made, found.end()
    return None


def _made(parts: dict[str, str]) -> date | None:
    year, day = int(parts["year"]), int(parts["day"])
    if year < 100:
        year += 1900 if year >= 80 else 2000
    month = _MONTHS[parts["month"][:3].lower()] if parts.get("month") else int(parts["m"])
    if month > 12 >= day:
        month, day = day, month
    if not _OLDEST <= year <= _LATEST:
        return None
    try:
        return date(year, month, day)
    except ValueError:
        return None


def form_of(value: str | None) -> str | None:
    """A form's name as EDGAR writes it, for example `10-K405/A`; None where it is no name.

    Args:
        value: as somebody wrote it: `10k`, `Form 10-K`, `10-K/A No. 2`, `8-k`.
    """
    text = re.sub(r"[\u2010-\u2015\u2212\u00ad]", "-", value or "").upper()
    text = " ".join(text.replace("\u00a0", " ").split()).removeprefix("FORM ").strip(" .:*")
    found = _PERIODIC.fullmatch(text.replace(" ", ""))
    if found:
        kind = f"10-{found[1]}{found[2] or ''}"
        return f"{kind}/A" if found["amended"] else kind
    if text.lower() in _NO_VALUE or not _OTHER_FORM.fullmatch(text):
        return None
    return text


def base_form(form: str) -> str:
    """The form without `/A`."""
    return form.removesuffix("/A")


def form_family(form: str) -> str:
    """`10-K` of `10-K405/A`; another form as it is."""
    return form[:4] if form.startswith(("10-K", "10-Q")) else base_form(form)


def text_of(value: str | None) -> str | None:
    """A text with single spaces; None where it says nothing."""
    text = " ".join((value or "").replace("\u00a0", " ").split())
    return None if text.lower() in _NO_VALUE else text


def same_name(one: str, other: str) -> bool:
    """Whether two names of a company differ in spelling only.

    `DISNEY WALT CO`, `The Walt Disney Company` and `WALT DISNEY CO/` are the same.
    """
    return name_words(one) == name_words(other)


def name_words(name: str) -> list[str]:
    """The words of a company's name in order, without those that only say what kind it is."""
    plain = _EDGAR_MARK.sub("", name.casefold().replace("'", "").replace("\u2019", ""))
    plain = re.sub(r"(?<=\b\w)\.(?=\w\b)", "", plain.replace("&", " and "))
    words = _WORD.findall(plain)
    return sorted(word for word in words if word not in _LEGAL) or sorted(words)


def says_more_than_kind(name: str) -> bool:
    """Whether a name has a word besides `Company`, `Inc.` and the like."""
    return any(word not in _LEGAL for word in _WORD.findall(name.casefold()))
