"""What may happen in a history of the round trip, and what has to be true at all times."""

from collections import Counter
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
)

from outreach_platform.enrichment.entities import COMPANY
from outreach_platform_tests.enrichment.model import (
    CITY,
    COLUMNS,
    COMPLETE,
    FAILED,
    IN_PROGRESS,
    NAME,
    PENDING,
    STAFF,
    WEBSITE,
    Content,
    Invalid,
    Model,
    is_good,
    value_of,
)
from outreach_platform_tests.enrichment.round_trip import DESK, SOURCE, World, content_of

KEYS = tuple(f"04.04.01.{n:02d}.{n:05d}.{n:03d}" for n in (1, 2, 3))

keys = st.sampled_from(KEYS)
columns = st.sampled_from(COLUMNS)
kinds = st.sampled_from(("good", "good", "bad", "blank"))
edits = st.dictionaries(columns, kinds, min_size=1, max_size=3)
# No clock tells of an edit that goes past the trigger: it has to change what stands there.
visible = st.sampled_from(("good", "good", "bad"))
visible_edits = st.dictionaries(columns, visible, min_size=1, max_size=3)
moments = st.sampled_from(("now", "now", "past", "future"))


class RoundTrip(RuleBasedStateMachine):
    """One history, which begins with three records in the workspace, two of them in the master."""

    world: ClassVar[World]

    def __init__(self) -> None:
        super().__init__()
        self.world.start_over()
        self.model = Model()
        self.numbers = iter(range(1, 1_000_000))
        # What an enricher wrote last, by record and column, while it may not be lost.
        self.written: dict[tuple[str, str], str] = {}
        self.runs: list[str] = []
        for key, website in zip(KEYS[:2], ("https://www.master.test", None), strict=True):
            content: Content = {NAME: "Of the Master", WEBSITE: website, CITY: None, STAFF: "7"}
            self.model.changed_master(key, content, self.world.insert_master(key, content))
        for key in KEYS:
            self.source_inserts(key, {NAME: "good", CITY: "good"}, "past")
        self.pulls()

    # What people do.

    @rule(key=keys, values=edits, at=moments)
    def source_inserts(self, key: str, values: dict[str, str], at: str) -> None:
        if key not in self.model.invalid:
            content = dict.fromkeys(COLUMNS) | self._values(values, "s")
            number, updated = self.world.insert_source(key, content, at)
            self.model.invalid[key] = Invalid(number, content, updated)

    @rule(key=keys, values=edits, at=moments)
    def source_changes(self, key: str, values: dict[str, str], at: str) -> None:
        if row := self.model.invalid.get(key):
            changes = self._values(values, "s")
            row.updated = self.world.change_source(key, changes, at)
            self._replaced(key, row.content, changes)
            row.content = row.content | changes

    @rule(key=keys)
    def source_finds_other_errors(self, key: str) -> None:
        self.world.change_errors(key, f"website: odd {next(self.numbers)}")

    @rule(key=keys)
    def source_deletes(self, key: str) -> None:
        self.world.delete_source(key)
        self.model.invalid.pop(key, None)

    @rule(key=keys, values=edits, at=moments)
    def somebody_changes_the_master(self, key: str, values: dict[str, str], at: str) -> None:
        if row := self.model.master.get(key):
            changes = self._values(values, "m")
            updated = self.world.change_master(key, changes, at)
            self._replaced(key, row.content, changes)
            self.model.changed_master(key, row.content | changes, updated)

    @rule(
        key=keys,
        values=edits,
        status=st.sampled_from((None, COMPLETE, COMPLETE, IN_PROGRESS, PENDING)),
    )
    def enricher_edits(self, key: str, values: dict[str, str], status: str | None) -> None:
        self._edit(key, self._values(values, "w"), status)

    @rule(key=keys, status=st.sampled_from((COMPLETE, COMPLETE, IN_PROGRESS, FAILED)))
    def enricher_sets_a_status(self, key: str, status: str) -> None:
        self._edit(key, {}, status)

    @rule(values=visible_edits, complete=st.booleans())
    def bulk_edit_without_the_trigger(self, values: dict[str, str], complete: bool) -> None:
        with self.world.without_trigger():
            for key in self.model.desk:
                self._edit(key, self._values(values, "w"), COMPLETE if complete else None)

    @rule(key=keys, value=visible)
    def clock_steps_back_while_an_enricher_edits(self, key: str, value: str) -> None:
        if row := self.model.desk.get(key):
            with self.world.without_trigger():
                self._edit(key, self._values({WEBSITE: value}, "w"), COMPLETE)
                row.version = self.world.step_back(key)

    # What the platform does.

    @rule()
    def pulls(self) -> None:
        self.world.run.pull(COMPANY)
        self.model.pull(self.world.desk_time)

    @rule()
    def is_killed_while_it_pulls(self) -> None:
        self.world.neon.armed = True
        self.world.survives(lambda: self.world.run.pull(COMPANY))
        self.model.pull(self.world.desk_time)

    @rule()
    def pushes(self) -> None:
        self.world.run.push(COMPANY)
        self.model.push()

    @rule()
    def is_killed_while_it_pushes(self) -> None:
        self.world.workspace.arm()
        self.world.survives(lambda: self.world.run.push(COMPANY))
        self.model.push(marks=False)

    @rule()
    def judges(self) -> None:
        self.world.run.revalidate(COMPANY)
        self.model.revalidate()

    @rule()
    def is_killed_after_it_judged(self) -> None:
        self.world.run.dies_in = "settle"
        self.world.survives(lambda: self.world.run.revalidate(COMPANY))
        self.model.revalidate(tells=False)

    @rule(dies=st.booleans())
    def promotes(self, dies: bool) -> None:
        run_id = f"run-{next(self.numbers):05d}"
        self.world.run.run_id = run_id
        self.world.run.dies_in = "settle" if dies else None
        self.world.survives(lambda: self.world.run.promote(COMPANY))
        if self.model.promote(run_id, self.world.master_time, tells=not dies):
            self.runs.append(run_id)

    @rule()
    def does_it_all(self) -> None:
        self.pulls()
        self.pushes()
        self.judges()
        self.promotes(dies=False)

    @precondition(lambda self: self.runs)
    @rule(data=st.data(), dies=st.booleans())
    def takes_a_run_back(self, data: st.DataObject, dies: bool) -> None:
        run_id = data.draw(st.sampled_from(self.runs))
        self.world.run.dies_in = "pull" if dies else None
        self.world.survives(lambda: self.world.run.undo(run_id))
        self.model.undo(run_id)
        if not dies:
            self.model.pull(self.world.desk_time)

    @rule()
    def pulls_and_pushes_twice(self) -> None:
        self.pulls()
        self.pushes()
        again = self.world.run.pull(COMPANY)
        self.model.settle()
        assert (again.inserted, again.refreshed, again.reopened, again.conflicts) == (0, 0, 0, 0)
        more = self.world.run.push(COMPANY)
        assert (more.updated, more.confirmed, more.moved_on, more.conflicts) == (0, 0, 0, 0)
        assert more.read == len(more.problems)

    # What has to be true at all times.

    @invariant()
    def both_databases_are_as_expected(self) -> None:
        desk = self.world.desk_rows(
            f"SELECT company_unique_id, {content_of()}, enrichment_status, "
            f"promoted_at IS NOT NULL FROM {DESK} t"
        )
        assert {key: tuple(rest) for key, *rest in desk} == {
            key: (row.content, row.status, row.promoted) for key, row in self.model.desk.items()
        }
        rows = self.world.neon_rows(
            f"SELECT company_unique_id, id, {content_of()}, enrichment_status, "
            f"revalidation_attempts FROM {SOURCE} t"
        )
        assert {key: tuple(rest) for key, *rest in rows} == {
            key: (row.id, row.content, row.status, row.attempts)
            for key, row in self.model.invalid.items()
        }
        masters = self.world.masters()
        assert {key: dict(zip(COLUMNS, rest, strict=True)) for key, *rest in masters} == {
            key: row.content for key, row in self.model.master.items()
        }

    @invariant()
    def nothing_is_doubled_and_what_was_promoted_is_good(self) -> None:
        found = self.world.neon_rows(
            "SELECT record_key, neon_id, run_id, undone_at IS NOT NULL, invalid_row, "
            "master_after ->> 'company_name', master_after ->> 'website_url' "
            "FROM marketing.promotion_history ORDER BY id"
        )
        assert [row[:4] for row in found] == [
            (each.key, each.row.id, each.run, each.undone) for each in self.model.history
        ]
        standing = [(key, number) for key, number, _, undone, *_ in found if not undone]
        assert all(count == 1 for count in Counter(standing).values())
        assert not {(key, row.id) for key, row in self.model.invalid.items()} & set(standing)
        for _, _, _, _, row, name, website in found:
            assert is_good(row[NAME], row[WEBSITE])
            assert is_good(name, website)

    @invariant()
    def nothing_is_lost(self) -> None:
        kept, contents = self.world.told_and_archived()
        for rows in (self.model.desk, self.model.invalid, self.model.master):
            contents += [(key, row.content) for key, row in rows.items()]
        contents += [(each.key, each.row.content) for each in self.model.history]
        kept |= {((key, c), content.get(c)) for key, content in contents for c in COLUMNS}
        assert not {each for each in self.written.items() if each not in kept}

    def teardown(self) -> None:
        """However it went, both databases agree after undisturbed rounds."""
        self.does_it_all()
        self.does_it_all()
        self.both_databases_are_as_expected()
        self.nothing_is_lost()
        state = self.world.run.reconcile(COMPANY)
        assert (state.not_pulled[0], state.doubled[0], state.lost_edits[0]) == (0, 0, 0)
        waiting = {key for key, row in self.model.desk.items() if row.waits}
        assert not waiting & set(self.model.invalid)

    # Helpers.

    def _values(self, values: dict[str, str], who: str) -> Content:
        return {
            column: value_of(column, kind, who, next(self.numbers))
            for column, kind in values.items()
        }

    def _edit(self, key: str, changes: Content, status: str | None) -> None:
        row = self.model.desk.get(key)
        if row is None:
            return
        row.version = self.world.edit(key, changes, status)
        row.content, row.status = row.content | changes, status or row.status
        for column, value in changes.items():
            self.written.pop((key, column), None)
            if value is not None:
                self.written[key, column] = value

    def _replaced(self, key: str, before: Content, changes: Content) -> None:
        """Somebody replaces in Neon what had arrived there."""
        for column in changes:
            if before[column] == self.written.get((key, column)):
                self.written.pop((key, column), None)
