"""The kill switches K1, K2, K3: pure verdicts over counts, all three every time.

K1 stops a state with too many bad companies, K2 one whose size jumped, K3 one whose company ids are
null or doubled. A value must exceed its limit strictly. K1 and K2 can be overridden for a state
until a date; K3 never. Who acts on a verdict, and where it is kept, is not said here.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from outreach_platform.foundation.lake import Record
from outreach_platform.settings_toml import GateThresholds
from outreach_platform.snapshots.layout import IdCounts

Switch = Literal["K1", "K2", "K3"]
OVERRIDABLE: tuple[Switch, ...] = ("K1", "K2")


@dataclass(frozen=True)
class Counts:
    """What is judged: numbers of rows of one version.

    Attributes:
        company_ids: nulls, doubled and malformed ids among the companies.
    """

    companies: int
    companies_bad: int
    people: int
    company_ids: IdCounts


class Baseline(Record):
    """The state's last published snapshot before the version that is judged."""

    version: str
    companies: int
    people: int


class Override(Record):
    """Leave to pass one switch for one state.

    Attributes:
        until: last UTC day on which it holds.
        reason: why, in the words of who gave it.
        by: who gave it.
    """

    id: int | None = None
    state: str
    switch: Switch
    until: date
    reason: str
    by: str


class Verdict(Record):
    """What one switch said.

    Attributes:
        measured: what was measured: a fraction for K1 and K2, a number of ids for K3; None where
            there was nothing to measure.
        limit: above which it triggers, in the same unit.
        triggered: whether the limit is exceeded.
        override: what lets it pass though it triggered.
        message: one line for people.
        warnings: what is worth saying though it stops nothing.
    """

    switch: Switch
    measured: float | None
    limit: float
    triggered: bool
    override: Override | None = None
    message: str
    warnings: list[str] = []

    @property
    def stops(self) -> bool:
        """Whether the version must not be published because of this switch."""
        return self.triggered and self.override is None


def judge(
    counts: Counts,
    baseline: Baseline | None,
    thresholds: GateThresholds,
    overrides: list[Override],
    today: date,
) -> list[Verdict]:
    """Evaluate all three switches, in order.

    Args:
        counts: the version's numbers.
        baseline: the last published snapshot, None for a first run.
        thresholds: the state's limits.
        overrides: the state's overrides; expired ones are ignored.
        today: the UTC day of the judgement.
    """
    verdicts = [
        _k1(counts, thresholds.bad_ratio),
        _k2(counts, baseline, thresholds),
        _k3(counts.company_ids),
    ]
    return [_with_override(verdict, overrides, today) for verdict in verdicts]


def status(verdicts: list[Verdict]) -> str:
    """`OK`, or the triggered switches that nothing overrides, for example `K1_TRIGGERED`."""
    return ",".join(f"{v.switch}_TRIGGERED" for v in verdicts if v.stops) or "OK"


def _k1(counts: Counts, limit: float) -> Verdict:
    if counts.companies == 0:
        return Verdict(
            switch="K1",
            measured=None,
            limit=limit,
            triggered=False,
            message="K1 OK: no companies, no bad ones",
            warnings=["0 companies were judged"],
        )
    ratio = counts.companies_bad / counts.companies
    return _limited("K1", ratio, limit, "Company bad ratio")


def _k2(counts: Counts, baseline: Baseline | None, thresholds: GateThresholds) -> Verdict:
    limit = thresholds.row_delta
    if baseline is None or baseline.companies + baseline.people == 0:
        why = "no previous snapshot" if baseline is None else "previous snapshot was empty"
        return Verdict(
            switch="K2",
            measured=None,
            limit=limit,
            triggered=False,
            message=f"K2 skip ({why})",
        )
    if counts.companies + counts.people == 0:
        # Even a state that may shrink and grow at will has not lost every row by itself.
        return Verdict(
            switch="K2",
            measured=1.0,
            limit=limit,
            triggered=True,
            message=f"K2 TRIGGERED: Row delta 100.0%, no rows are left since {baseline.version}",
        )
    deltas = {
        "Row delta": _delta(counts.companies + counts.people, baseline.companies + baseline.people)
    }
    for name, now, before in (
        ("Company delta", counts.companies, baseline.companies),
        ("People delta", counts.people, baseline.people),
    ):
        if before >= thresholds.row_delta_floor:
            deltas[name] = _delta(now, before)
    # The whole first where it triggers, as that is the figure people know the switch by.
    name = next((n for n, d in deltas.items() if d > limit), "Row delta")
    return _limited("K2", deltas[name], limit, name, f" since {baseline.version}")


def _k3(ids: IdCounts) -> Verdict:
    found = ids.null + ids.doubled
    what = f"{ids.null} null and {ids.doubled} doubled company_unique_id"
    warnings = [f"{ids.malformed} company ids are no Barton ids"] if ids.malformed else []
    return Verdict(
        switch="K3",
        measured=found,
        limit=0,
        triggered=found > 0,
        message=f"K3 TRIGGERED: {what}" if found else f"K3 OK: {what}",
        warnings=warnings,
    )


def _delta(now: int, before: int) -> float:
    return abs(now - before) / before


def _limited(switch: Switch, value: float, limit: float, name: str, since: str = "") -> Verdict:
    triggered = value > limit
    # As many digits as it takes to tell the two apart: "15.0% > 15.0%" helps nobody.
    digits = next((d for d in range(1, 16) if f"{value:.{d}%}" != f"{limit:.{d}%}"), 1)
    head, sign = ("TRIGGERED", ">") if triggered else ("OK", "<=")
    return Verdict(
        switch=switch,
        measured=value,
        limit=limit,
        triggered=triggered,
        message=f"{switch} {head}: {name} {value:.{digits}%} {sign} {limit:.{digits}%}{since}",
    )


def _with_override(verdict: Verdict, overrides: list[Override], today: date) -> Verdict:
    if not verdict.triggered or verdict.switch not in OVERRIDABLE:
        return verdict
    holding = [o for o in overrides if o.switch == verdict.switch and today <= o.until]
    if not holding:
        return verdict
    override = max(holding, key=lambda o: o.until)
    return verdict.model_copy(
        update={
            "override": override,
            "message": f"{verdict.message}; overridden until {override.until} by {override.by}: "
            f"{override.reason}",
        }
    )


class GateRecord(Record):
    """The stored verdict: `exports/{STATE}/verdicts/{version}.json`.

    Whatever has an effect outside the house reads it and refuses without an explicit pass.

    Attributes:
        judged: checksums of the files it speaks of, by table name; it speaks of no others.
        passed: the explicit pass.
        status: as in the audit log.
        nothing_lost: whether good + bad = raw and no person's id stands twice.
    """

    version: str
    state: str
    run_id: str
    judged_at: datetime
    judged: dict[str, str]
    rules_version: str
    thresholds: GateThresholds
    baseline: Baseline | None
    verdicts: list[Verdict]
    nothing_lost: bool
    lost_message: str
    status: str
    passed: bool

    @property
    def overrides(self) -> list[Override]:
        """Overrides that let something pass."""
        return [v.override for v in self.verdicts if v.override is not None]

    def verdict(self, switch: Switch) -> Verdict:
        """One switch's verdict."""
        return next(v for v in self.verdicts if v.switch == switch)
