"""A Matplotlib figure as SVG that stands inside an HTML page: small, named, coloured by the page.

Colours become the page's variables, so that it is readable on paper and in the dark; text stays
text; identifiers are prefixed, because a page has one namespace; nothing outside is named.
"""

import io
import re
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

if TYPE_CHECKING:
    from lxml.etree import _Element
    from matplotlib.figure import Figure

GOOD, BAD, INK, MUTED, GRID = "#2c6e9b", "#c4661a", "#222a30", "#5b6770", "#d9dee2"
_VARIABLES = {GOOD: "good", BAD: "bad", INK: "ink", MUTED: "muted", GRID: "grid"}
_FONT = re.compile(r"font(-family)?:[^;]*;?\s*")
_SIZE = re.compile(r"font:\s*(?:[a-z0-9]+\s+)*?([\d.]+px)[^;]*")
_LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}")
_REFERENCE = re.compile(r"#([A-Za-z_][\w.-]*)")
_XLINK = "{http://www.w3.org/1999/xlink}href"

# Text as text, and the same identifiers for the same figure.
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "outreach",
    "font.size": 9,
    "axes.edgecolor": GRID,
    "axes.labelcolor": INK,
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "patch.linewidth": 0,
}


def inline_svg(figure: "Figure", name: str, title: str) -> Markup:
    """The figure as one `<svg>` element.

    Args:
        figure: drawn under `STYLE`.
        name: unique on the page, letters, digits and hyphens.
        title: what the picture says, for those who do not see it.
    """
    import lxml.etree

    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    parser = lxml.etree.XMLParser(
        remove_comments=True, remove_blank_text=True, resolve_entities=False, no_network=True
    )
    root = lxml.etree.fromstring(buffer.getvalue(), parser)
    for element in list(root.iter()):
        element.tag = lxml.etree.QName(element).localname
    for element in [*root.iter("metadata"), *root.iter("style")]:
        parent = element.getparent()
        if parent is not None:
            parent.remove(element)
    for element in root.iter():
        _clean(element)
    _name_apart(root, name)
    for unwanted in ("width", "height", "version", "id"):
        root.attrib.pop(unwanted, None)
    heading = lxml.etree.Element("title", id=f"{name}-title")
    heading.text = title
    root.insert(0, heading)
    root.set("role", "img")
    root.set("aria-labelledby", f"{name}-title")
    lxml.etree.cleanup_namespaces(root)
    # lxml escaped what came from outside.
    return Markup(lxml.etree.tostring(root, encoding="unicode", with_tail=False))


def _clean(element: "_Element") -> None:
    """Fonts to the page, colours to its variables, coordinates to a hundredth of a point."""
    if (link := element.attrib.pop(_XLINK, None)) is not None:
        element.set("href", link)
    for name in ("d", "x", "y", "transform"):
        if (text := element.get(name)) is not None:
            element.set(name, _LONG_NUMBER.sub(lambda m: f"{float(m[0]):.2f}", text))
    style = element.get("style")
    if style is None:
        return
    size = _SIZE.search(style)
    style = _FONT.sub("", style) + (f"; font-size: {size[1]}" if size else "")
    for color, variable in _VARIABLES.items():
        style = style.replace(color, f"var(--{variable})")
    element.set("style", style.strip("; "))


def _name_apart(root: "_Element", name: str) -> None:
    """Prefix identifiers that something refers to, drop the others."""
    used: set[str] = set()
    for element in root.iter():
        for attribute in ("href", "clip-path", "style"):
            value = element.get(attribute)
            if value and "#" in value:
                used.update(_REFERENCE.findall(value))
                element.set(attribute, _REFERENCE.sub(rf"#{name}-\1", value))
    for element in root.iter():
        identifier = element.attrib.pop("id", None)
        if identifier in used:
            element.set("id", f"{name}-{identifier}")
