"""The items of a filing as sections: where each begins and ends, and how sure that is."""

from outreach_platform.filings.model import Section
from outreach_platform.filings.parsing.contents import find_contents
from outreach_platform.filings.parsing.document import Document
from outreach_platform.filings.parsing.gates import SecondOpinion
from outreach_platform.filings.parsing.headings import find_headings
from outreach_platform.filings.parsing.items import catalogue
from outreach_platform.filings.parsing.outline import Outline, choose
from outreach_platform.filings.parsing.outline_index import index_candidates
from outreach_platform.filings.parsing.outline_places import linked_candidates, part_candidates
from outreach_platform.filings.parsing.outline_titles import title_candidates
from outreach_platform.filings.parsing.outline_weigh import Ground, weigh
from outreach_platform.filings.parsing.sections_build import built
from outreach_platform.filings.parsing.sections_spans import spans_of


def find_sections(
    document: Document, form: str, year: int, *, second: SecondOpinion | None = None
) -> list[Section]:
    """All items of a filing, in the order of the form.

    `document.text[section.start : section.end]` is a section's own text, heading included, without
    white space around it. Sections do not overlap, but for a heading that several items share.

    Args:
        document: the filing's main document.
        form: as filed, for example `10-K405/A`.
        year: of filing.
        second: another extractor over the same filing, asked only where the gates doubt.
    """
    headings = find_headings(document)
    contents = find_contents(document, headings)
    items = catalogue(form, year)
    outline = _outline(
        Ground(document, headings, contents, items, frozenset(contents.targets.values()))
    )
    sections = [
        section
        for span in spans_of(document, outline, headings, contents)
        for section in built(document, items, span)
    ]
    order = {item.key: place for place, item in enumerate(items)}
    return sorted(sections, key=lambda one: order[one.section_part, one.section_type])


def _outline(ground: Ground) -> Outline:
    """The best headings there are: those that say Item, then titles and links, then index rows."""
    candidates = weigh(ground)
    if rows := index_candidates(ground, candidates):
        return choose(rows, ground.items)
    candidates += linked_candidates(ground, candidates)
    candidates += title_candidates(ground, candidates)
    candidates += part_candidates(ground, candidates)
    return choose(candidates, ground.items)
