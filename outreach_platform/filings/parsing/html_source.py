"""From the markup of a page to a tree: what has to be mended before the parser sees it."""

import re
from typing import Any

# A character of Unicode's private use that slices are cut at.
MARK = "\ue0f1"
_PROLOGUE = re.compile(
    r"\A(?:\s|<\?[^>]*\?>|<!--.*?-->|<!DOCTYPE[^\[>]*(?:\[.*?\]\s*)?>)+", re.S | re.I
)
_PAGE = re.compile(r"</?page(?:\s[^<>]*)?/?>", re.I)
# EDGAR's tags of plain-text tables open elements that never close.
_TEXT_TAGS = re.compile(r"</?(?:c|fn|f\d{1,2}|r|document|text|xbrl)(?:\s[^<>]*)?>", re.I)
# A table of plain text inside a page: the parser would end <pre> at it and run its lines together.
_PRE = re.compile(r"<pre\b[^<>]*>.*?</pre\s*>", re.S | re.I)
_ROW = re.compile(r"<tr\b", re.I)
_TABLE = re.compile(r"<(/?)table\b[^<>]*>", re.I)
_TABLE_TAGS = re.compile(r"</?(?:caption|s)\s*>", re.I)
TEXT_TABLE = "samp"
_PAGE_BREAK = '<hr style="page-break-before:always">'
_TAG = re.compile(r"""<(/?)([a-zA-Z][\w:.-]*)(?:"[^"]*"|'[^']*'|[^'">])*+>""")
_VOID = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "wbr")
)
_INLINE = frozenset(
    (
        *("a", "abbr", "acronym", "b", "big", "cite", "code", "del", "em", "font", "i", "ins"),
        *("s", "small", "span", "strike", "strong", "sub", "sup", "tt", "u", "p"),
    )
)
# What an opening tag closes when it stands directly above.
_CLOSES = {
    "td": {"td", "th"},
    "th": {"td", "th"},
    "tr": {"td", "th", "tr"},
    "li": {"li"},
    "dd": {"dd", "dt"},
    "dt": {"dd", "dt"},
}
# The parser stops at 256 levels, or 2,048 for huge trees, and drops all that follows.
_DEEPEST = 240
_LIMITS = frozenset(("ERR_RESOURCE_LIMIT", "ERR_NAME_TOO_LONG", "ERR_INTERNAL_ERROR"))


def parse_html(source: str) -> Any:
    """The root element of a page, with at most a few hundred levels below it.

    Args:
        source: the markup, with or without XML declaration, in whatever state.

    Raises:
        ValueError: there is no element in it.
    """
    mended = _mended(source)
    root, limited = _parsed(mended, huge=False)
    if limited:
        root, _ = _parsed(flattened(mended), huge=True)
    if root is None:
        raise ValueError("no text in the document")
    return root


def _mended(source: str) -> str:
    source = _PROLOGUE.sub("", source, count=1).replace(MARK, "")
    source = _PAGE.sub(_page_break, source)
    source = _TEXT_TAGS.sub("", source)
    return _PRE.sub(_text_tables, source)


def _page_break(found: re.Match[str]) -> str:
    return "" if found[0].startswith("</") else _PAGE_BREAK


def _text_tables(found: re.Match[str]) -> str:
    """A `<pre>` whose tables have no rows, with elements around them that may stand in it."""
    if _ROW.search(found[0]) or not _TABLE.search(found[0]):
        return found[0]
    return _TABLE.sub(rf"<\1{TEXT_TABLE}>", _TABLE_TAGS.sub("", found[0]))


def _parsed(source: str, *, huge: bool) -> tuple[Any, bool]:
    """The root, and whether the parser gave up at a limit."""
    import lxml.etree

    parser = lxml.etree.HTMLParser(
        huge_tree=huge, recover=True, remove_comments=True, remove_pis=True, encoding="utf-8"
    )
    try:
        root = lxml.etree.fromstring(source.encode("utf-8", "replace"), parser)
    except lxml.etree.XMLSyntaxError:
        root = None
    return root, any(entry.type_name in _LIMITS for entry in parser.error_log)


def flattened(source: str) -> str:
    """The markup with at most 240 open elements at any place.

    Thousands of `<font>` that never close stand inside one another to the parser. Here an opening
    block closes what is inline; what is still too deep leaves only its line break.
    """
    parts: list[str] = []
    stack: list[str] = []
    at = 0
    for found in _TAG.finditer(source):
        parts.append(source[at : found.start()])
        at = found.end()
        tag = found[2].lower()
        if found[1]:
            _close(tag, stack, parts)
        elif tag in _VOID or found[0].endswith("/>"):
            parts.append(found[0])
        else:
            _open(tag, found[0], stack, parts)
    parts.append(source[at:])
    return "".join(parts)


def _open(tag: str, markup: str, stack: list[str], parts: list[str]) -> None:
    inline = tag in _INLINE and tag != "p"
    closes = _CLOSES.get(tag, frozenset())
    while stack and not inline and (stack[-1] in _INLINE or stack[-1] in closes):
        parts.append(f"</{stack.pop()}>")
    if len(stack) < _DEEPEST:
        stack.append(tag)
        parts.append(markup)
    elif not inline:
        parts.append("<br>")


def _close(tag: str, stack: list[str], parts: list[str]) -> None:
    for position in range(len(stack) - 1, -1, -1):
        if stack[position] == tag:
            parts.extend(f"</{name}>" for name in reversed(stack[position:]))
            del stack[position:]
            return
        if stack[position] == "table":
            return
