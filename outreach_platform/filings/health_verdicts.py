"""What the counts of a database mean: passed or not, and in which words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from outreach_platform.filings.health_records import Health
from outreach_platform.filings.model import KINDS

_SHOWN = 5


class Limits(Protocol):
    """The thresholds; `[filings]` in settings.toml has them."""

    @property
    def footnote_ceiling(self) -> int:
        """More footnotes in one filing are a parser's error."""
        ...

    @property
    def coverage(self) -> float:
        """Share of filings with sections below which `completeness` fails."""
        ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one check says.

    Attributes:
        name: of the check.
        passed: whether all is well.
        blocking: whether a failure keeps the database from being published.
        description: a sentence.
        numbers: what was counted.
    """

    name: str
    passed: bool
    blocking: bool
    description: str
    numbers: dict[str, int | float] = field(default_factory=dict)


def verdicts(health: Health, limits: Limits) -> list[Verdict]:
    """All checks on a database, always the same six in the same order."""
    return [
        _no_duplicates(health),
        _referential_integrity(health),
        _completeness(health, limits),
        _coverage(health),
        _footnote_ceiling(health, limits),
        _stable_ids(health),
    ]


def problems(health: Health, limits: Limits) -> list[str]:
    """Sentences about what is not well, for `status`; none where all is."""
    found = [verdict.description for verdict in verdicts(health, limits) if not verdict.passed]
    if health.failures:
        first = health.failures[0]
        filings = len({failure.accession_number for failure in health.failures})
        found.append(
            f"{_count(filings, 'filing')} failed, {first.accession_number} first: {first.error}"
        )
    if health.stale:
        found.append(
            f"{_count(max(health.stale.values()), 'filing')} stand as an older parser read them; "
            "`outreach filings extract` reads them anew"
        )
    return found


def _no_duplicates(health: Health) -> Verdict:
    twins = health.duplicates_by
    return Verdict(
        "no_duplicates",
        not twins,
        blocking=True,
        description=(
            f"rows stand twice: {_listed(twins)}; `outreach filings dedupe` keeps the better ones"
            if twins
            else "no natural key and no id stands twice"
        ),
        numbers={"duplicates": health.duplicates, **twins},
    )


def _referential_integrity(health: Health) -> Verdict:
    orphans = health.orphans_by
    return Verdict(
        "referential_integrity",
        not orphans,
        blocking=True,
        description=(
            f"rows belong to nothing: {_listed(orphans)}; `outreach filings dedupe` removes them"
            if orphans
            else "every row's filing, section, table and parent chunk exist"
        ),
        numbers={"orphans": health.orphans, **orphans},
    )


def _completeness(health: Health, limits: Limits) -> Verdict:
    accepted = health.total_filings - sum(health.refused.values())
    share = _sectioned(health) / accepted if accepted else 1.0
    said = []
    if health.gaps:
        filings = list(dict.fromkeys(gap.accession_number for gap in health.gaps))
        reasons: dict[str, int] = {}
        for gap in health.gaps:
            name = f"{gap.kind} {gap.reason}"
            reasons[name] = reasons.get(name, 0) + 1
        said.append(
            f"{_count(len(filings), 'filing')} of {accepted} not complete ({_some(filings)}): "
            f"{_listed(reasons)}; `outreach filings extract --mode missing` tries again"
        )
    if share < limits.coverage:
        said.append(
            f"only {share:.0%} of {_count(accepted, 'filing')} have sections, "
            f"{limits.coverage:.0%} are asked for"
        )
    return Verdict(
        "completeness",
        not said,
        blocking=False,
        description="; ".join(said) or "every filing has all four kinds, or a reason why not",
        numbers={"gaps": len(health.gaps), "filings": accepted, "share": round(share, 4)},
    )


def _sectioned(health: Health) -> int:
    return sum(row.filled for row in health.coverage if row.kind == KINDS[0])


def _coverage(health: Health) -> Verdict:
    said = []
    if health.uncovered:
        place = health.uncovered_examples[0]
        said.append(
            f"{_count(health.uncovered, 'section')} not covered by chunks, first "
            f"{place.accession_number} {place.section_part} {place.section_type}: {place.reason}"
        )
    if health.unresolved:
        place = health.unresolved_examples[0]
        said.append(
            f"{_count(health.unresolved, 'citation')} not resolving, first "
            f"{place.accession_number} {place.section_part} {place.section_type}: {place.reason}"
        )
    if said:
        said.append("`outreach filings extract --mode all --force` makes the chunks anew")
    return Verdict(
        "coverage",
        not said,
        blocking=True,
        description="; ".join(said)
        or "chunks cover their sections, and offsets give the very text",
        numbers={"uncovered": health.uncovered, "unresolved": health.unresolved},
    )


def _footnote_ceiling(health: Health, limits: Limits) -> Verdict:
    passed = health.most_footnotes <= limits.footnote_ceiling
    said = f"at most {health.most_footnotes} footnotes in a filing"
    if not passed:
        said = (
            f"{health.most_footnotes_in} has {health.most_footnotes} footnotes, more than "
            f"{limits.footnote_ceiling}: numbers may have been taken for markers; look at them, or "
            "raise footnote_ceiling under [filings] in settings.toml"
        )
    return Verdict(
        "footnote_ceiling",
        passed,
        blocking=False,
        description=said,
        numbers={"most_footnotes": health.most_footnotes, "ceiling": limits.footnote_ceiling},
    )


def _stable_ids(health: Health) -> Verdict:
    unstable = health.unstable_ids
    return Verdict(
        "stable_ids",
        not unstable,
        blocking=True,
        description=(
            f"ids that are not the hash of their natural key: {_listed(unstable)}; `outreach "
            "filings dedupe` gives them theirs"
            if unstable
            else "every id is the hash of its natural key"
        ),
        numbers={"unstable_ids": sum(unstable.values()), **unstable},
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _listed(numbers: Mapping[str, int]) -> str:
    shown = [f"{number:,} {name}" for name, number in list(numbers.items())[:_SHOWN]]
    more = [f"{len(numbers) - _SHOWN} more"] if len(numbers) > _SHOWN else []
    return ", ".join([*shown, *more])


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
