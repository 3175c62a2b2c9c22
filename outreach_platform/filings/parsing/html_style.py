"""How text looks, from tags, CSS and classes: bold, italic, centred, size, link, raised, hidden."""

import re
from dataclasses import dataclass
from typing import Any

_BOLD = frozenset(("b", "strong", "h1", "h2", "h3", "h4", "h5", "h6", "th"))
_ITALIC = frozenset(("i", "em", "u", "ins"))
_SIZE = re.compile(r"font-size\s*:\s*([\d.]+)\s*(pt|px|em|rem|%)?")
_WEIGHT = re.compile(r"font-weight\s*:\s*(bold|bolder|[6-9]00|normal|[1-5]00)|\bfont:[^;]*\bbold\b")
_BREAK = re.compile(r"(?:page-break|break)-(before|after)\s*:\s*(?:always|page|left|right)")
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden")
_CENTRED = re.compile(r"text-align\s*:\s*(\w+)")
_ITALIC_CSS = re.compile(r"font(?:-style)?\s*:[^;]*\b(?:italic|oblique)|\bunderline\b")
_RAISED = re.compile(
    r"vertical-align\s*:\s*(?:super|text-top)|position\s*:\s*relative;\s*top\s*:\s*-"
)
_FONT_SIZES = {"1": 7.5, "2": 10.0, "3": 12.0, "4": 13.5, "5": 18.0, "6": 24.0, "7": 36.0}
_POINTS = {"px": 0.75, "em": 10.0, "rem": 10.0, "%": 0.1}
_LIGHT = frozenset(("normal", "100", "200", "300", "400", "500"))
_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
_CLASS = re.compile(r"^(?:[a-z][a-z0-9]*)?\.([\w-]+)$", re.I)


@dataclass(frozen=True, slots=True, eq=False)
class Style:
    """How a run of text looks; one object for each look of a document.

    Attributes:
        bold: as told by tags or CSS.
        italic: italic or underlined.
        centred: on the page or in its cell.
        size: in points, 0 where nothing tells.
        link: anchor inside the document that it links to, without `#`.
        raised: a superscript.
        pre: its line breaks and spaces count.
    """

    bold: bool = False
    italic: bool = False
    centred: bool = False
    size: float = 0.0
    link: str = ""
    raised: bool = False
    pre: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """What an element does to its text.

    Attributes:
        style: of the text inside.
        hidden: nothing of it is seen.
        turns: `before` or `after` where a page ends there, else empty.
    """

    style: Style
    hidden: bool
    turns: str


@dataclass(frozen=True, slots=True)
class _Css:
    """What a declaration says; None where it says nothing."""

    bold: bool | None
    italic: bool
    centred: bool | None
    size: float | None
    raised: bool
    pre: bool
    hidden: bool
    turns: str


class Styler:
    """Looks of elements, remembered, for a filing repeats few of them many thousand times.

    Args:
        root: of the document; its `<style>` elements are read for classes.
    """

    def __init__(self, root: Any) -> None:
        self._classes = _classes(root)
        self._css: dict[str, _Css] = {}
        self._looks: dict[tuple[Any, ...], Look] = {}

    def look(self, element: Any, tag: str, style: Style) -> Look:
        """The look of an element inside text of a style.

        Args:
            element: of lxml.
            tag: its name in lower case, without `ix:`.
            style: of the text around it.
        """
        get = element.get
        special = get("href") if tag == "a" else get("size") if tag == "font" else None
        key = (style, tag, get("style"), get("align"), get("class"), special)
        found = self._looks.get(key)
        if found is None:
            found = self._looks[key] = self._made(*key)
        return found

    def _made(
        self,
        style: Style,
        tag: str,
        declared: str | None,
        align: str | None,
        names: str | None,
        special: str | None,
    ) -> Look:
        css = self._declared(declared, names)
        own = Style(
            bold=_either(css.bold, style.bold or tag in _BOLD),
            italic=style.italic or tag in _ITALIC or css.italic,
            centred=_either(css.centred, _aligned(tag, align, style)),
            size=css.size or _font_size(tag, special) or style.size,
            link=_target(special) if tag == "a" and special else style.link,
            raised=style.raised or tag == "sup" or css.raised,
            pre=style.pre or tag in ("pre", "xmp") or css.pre,
        )
        same = all(getattr(own, name) == getattr(style, name) for name in Style.__slots__)
        return Look(style if same else own, css.hidden, css.turns)

    def _declared(self, declared: str | None, names: str | None) -> _Css:
        classes = [self._classes.get(name.lower(), "") for name in (names or "").split()]
        text = ";".join((*classes, (declared or "").lower()))
        found = self._css.get(text)
        if found is None:
            found = self._css[text] = _read(text)
        return found


def _read(css: str) -> _Css:
    # The last of several weights counts, as a browser has it.
    weight = list(_WEIGHT.finditer(css))
    align = _CENTRED.findall(css)
    size = _SIZE.search(css)
    turns = _BREAK.search(css)
    return _Css(
        bold=weight[-1][1] not in _LIGHT if weight else None,
        italic=bool(_ITALIC_CSS.search(css)),
        centred=align[-1] == "center" if align else None,
        size=float(size[1].strip(".") or 0) * _POINTS.get(size[2] or "pt", 1.0) if size else None,
        raised=bool(_RAISED.search(css)),
        pre="white-space:pre" in css.replace(" ", ""),
        hidden=bool(_HIDDEN.search(css)),
        turns=turns[1] if turns else "",
    )


def _classes(root: Any) -> dict[str, str]:
    """Declarations by class name, from the document's style sheets."""
    found: dict[str, str] = {}
    for sheet in root.iter("style"):
        for selectors, declared in _RULE.findall(sheet.text or ""):
            for selector in selectors.split(","):
                if named := _CLASS.match(selector.strip()):
                    name = named[1].lower()
                    found[name] = f"{found.get(name, '')};{declared.lower()}"
    return found


def _either(told: bool | None, otherwise: bool) -> bool:
    return otherwise if told is None else told


def _aligned(tag: str, align: str | None, style: Style) -> bool:
    if align:
        # The place of a table on the page says nothing of the text in it.
        return style.centred if tag == "table" else align.lower() == "center"
    return tag == "center" or style.centred


def _font_size(tag: str, special: str | None) -> float:
    return _FONT_SIZES.get((special or "").strip(), 0.0) if tag == "font" else 0.0


def _target(href: str) -> str:
    from urllib.parse import unquote

    page, sign, anchor = href.partition("#")
    return unquote(anchor) if sign and "://" not in page else ""
