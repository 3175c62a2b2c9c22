"""What the round trip shall do with a few companies, said again in plain Python.

It knows no SQL, no hashes and no batches. Times are the databases' own, which the test reads back.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

Content = dict[str, str | None]

PENDING, IN_PROGRESS, COMPLETE, FAILED = "pending", "in_progress", "complete", "failed"
NAME, WEBSITE, CITY, STAFF = "company_name", "website", "city", "employee_count"
COLUMNS: tuple[str, ...] = (NAME, WEBSITE, CITY, STAFF)
# The master's column for each, and whether a bad master takes it from an older record.
MASTER: dict[str, tuple[str, bool]] = {
    NAME: ("company_name", True),
    WEBSITE: ("website_url", True),
    CITY: ("address_city", False),
    STAFF: ("employee_count", False),
}


def blank(value: str | None) -> bool:
    return not (value or "").strip()


def is_good(name: str | None, website: str | None) -> bool:
    """The rules, for the values that this test makes: blanks and texts, with or without a dot."""
    return not blank(name) and len(str(name)) > 1 and "." in (website or "")


def value_of(column: str, kind: str, who: str, number: int) -> str | None:
    """A value that was never there before, so that it can be followed; None for a blank one.

    Args:
        column: of the model.
        kind: good, bad (which the rules refuse where they look at the column) or blank.
        who: whose it is.
        number: another one each time.
    """
    return {
        NAME: {"good": f"{who} {number} Ltd", "bad": " " * (number % 99)},
        WEBSITE: {"good": f"https://{who}{number}.test", "bad": f"{who}{number}"},
        CITY: {"good": f"{who} {number}", "bad": f" {who};'\"{number}\n"},
        STAFF: {"good": str(number), "bad": str(-number)},
    }[column].get(kind)


@dataclass
class Invalid:
    """A row of Neon's invalid table; `pushed` is the edit that our last push brought, as it was
    read in the workspace and as it was written."""

    id: int
    content: Content
    updated: datetime
    status: str | None = None
    pushed: tuple[datetime, Content, Content] | None = None
    written: Content | None = None
    passed: Content | None = None
    attempts: int = 0
    cleared: frozenset[str] = frozenset()

    def carries(self, row: "Desk") -> bool:
        """Whether the workspace's row, as it stands, is what our last push brought."""
        pushed = self.pushed
        return pushed is not None and pushed[0] == row.version and row.content in pushed[1:]


@dataclass
class Desk:
    """A row of the workspace; `marked` is the version that is known to be in Neon."""

    content: Content
    base: Content
    status: str
    version: datetime
    neon_id: int
    marked: datetime | None = None
    promoted: bool = False
    archive: list[Content] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        return self.marked != self.version or self.content != self.base

    @property
    def waits(self) -> bool:
        return self.status == COMPLETE and not self.promoted


@dataclass(frozen=True)
class Master:
    """A row of the master; every change of it has a number of its own."""

    content: Content
    updated: datetime
    number: int


@dataclass
class Promotion:
    """A row of the history."""

    key: str
    run: str
    row: Invalid
    before: Master | None
    after: Master
    undone: bool = False


class Model:
    """Both databases, by key."""

    def __init__(self) -> None:
        self.invalid: dict[str, Invalid] = {}
        self.desk: dict[str, Desk] = {}
        self.master: dict[str, Master] = {}
        self.history: list[Promotion] = []
        self.conflicts: list[tuple[str, str, str | None, str | None]] = []
        self._changes = 0

    def changed_master(self, key: str, content: Content, at: datetime) -> Master:
        self._changes += 1
        self.master[key] = Master(content, at, self._changes)
        return self.master[key]

    def merged(self, key: str, row: Desk, source: Invalid) -> Content:
        """Three ways from what both had; where both changed, the newer row wins, ours on a tie."""
        merged: Content = {}
        for column in COLUMNS:
            base, ours, theirs = row.base[column], row.content[column], source.content[column]
            if ours in (theirs, base) or theirs == base:
                merged[column] = theirs if ours == base else ours
                continue
            moved_on = source.content == source.written
            merged[column] = ours if moved_on or row.version >= source.updated else theirs
            if not moved_on:
                self.conflicts.append((key, column, ours, theirs))
        return merged

    def pull(self, now: Callable[[str], datetime]) -> None:
        """Give the workspace what is new; `now` tells a row's version after it was made anew."""
        self.settle()
        for key, source in self.invalid.items():
            row = self.desk.get(key)
            if row is None:
                content = dict(source.content)
                self.desk[key] = Desk(content, dict(content), PENDING, now(key), source.id)
            elif row.promoted and row.status != IN_PROGRESS:
                archive = [*row.archive, row.content]
                content = dict(source.content)
                self.desk[key] = Desk(
                    *(content, dict(content), PENDING, now(key), source.id), archive=archive
                )
            elif row.status in (PENDING, FAILED):
                row.content = self.merged(key, row, source)
                row.base, row.neon_id, row.promoted = dict(source.content), source.id, False
            else:
                row.promoted = False
                if row.neon_id != source.id:
                    row.neon_id, row.marked = source.id, None

    def push(self, *, marks: bool = True) -> None:
        """Bring completed rows into Neon; without `marks`, the workspace hears nothing of it."""
        for key, row in self.desk.items():
            source = self.invalid.get(key)
            if not row.waits or not row.changed or source is None:
                continue
            if not source.carries(row):
                self._write(key, row, source)
            if marks:
                row.content, row.base = dict(source.content), dict(source.content)
                row.marked = row.version

    def _write(self, key: str, row: Desk, source: Invalid) -> None:
        merged = self.merged(key, row, source)
        emptied = {c for c in COLUMNS if blank(merged[c]) and not blank(source.content[c])}
        kept = {c for c in source.cleared if blank(merged[c])}
        source.content, source.written, source.passed = merged, dict(merged), None
        source.pushed = (row.version, dict(row.content), dict(merged))
        source.status, source.cleared = COMPLETE, frozenset(kept | emptied)
        source.updated = max(source.updated, row.version)

    def revalidate(self, *, tells: bool = True) -> None:
        for source in self.invalid.values():
            if source.status != COMPLETE:
                continue
            good = is_good(source.content[NAME], source.content[WEBSITE])
            source.attempts += source.passed != source.content
            source.passed = dict(source.content) if good else None
            source.status = COMPLETE if good else FAILED
        if tells:
            self.settle()

    def promote(self, run: str, now: Callable[[str], datetime], *, tells: bool = True) -> set[str]:
        """Promote what passed; returns the keys."""
        done = {key for key, row in self.invalid.items() if self._may_go(key, row)}
        for key in sorted(done):
            row, before = self.invalid.pop(key), self.master.get(key)
            after = self.changed_master(key, self._target(row, before), now(key))
            self.history.append(Promotion(key, run, row, before, after))
        if tells:
            self.settle()
        return done

    def _may_go(self, key: str, row: Invalid) -> bool:
        desk = self.desk.get(key)
        edited = desk and not desk.promoted and (desk.status != COMPLETE or desk.changed)
        return row.status == COMPLETE and row.passed == row.content and not edited

    def _target(self, row: Invalid, before: Master | None) -> Content:
        values = dict(before.content) if before else dict.fromkeys(COLUMNS)
        newer = before is None or row.updated >= before.updated
        bad = before is not None and not is_good(before.content[NAME], before.content[WEBSITE])
        for column, (_, judged) in MASTER.items():
            wins = newer or (bad and judged)
            value = None if blank(row.content[column]) else row.content[column]
            if value is None and not (wins and column in row.cleared):
                continue
            if wins or blank(values[column]):
                values[column] = value
        return values

    def settle(self) -> None:
        for key, row in self.desk.items():
            if not row.waits:
                continue
            source = self.invalid.get(key)
            last = next((p for p in self.history[::-1] if p.key == key and not p.undone), None)
            told = source or (last and last.row)
            if row.changed or not told or not told.pushed or told.pushed[0] != row.version:
                continue
            if source is None:
                row.promoted = True
            elif source.status == FAILED:
                row.status = FAILED

    def undo(self, run: str) -> set[str]:
        """Take a run back as far as it can be; returns the keys."""
        self.settle()
        done = set()
        for each in self.history[::-1]:
            same = self.master.get(each.key) == each.after
            if each.run != run or each.undone or each.key in self.invalid or not same:
                continue
            if each.before is None:
                del self.master[each.key]
            else:
                self.master[each.key] = each.before
            self.invalid[each.key] = replace(each.row, status=PENDING, pushed=None, passed=None)
            each.undone = True
            done.add(each.key)
        return done
