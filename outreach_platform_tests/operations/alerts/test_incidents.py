"""The book of incidents: one message when a fault comes and one when it goes, whatever happens."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outreach_platform.operations.alerts.incidents import (
    CALM,
    LONGEST_WAIT,
    MOST_WAITING,
    Book,
    Message,
    advance,
    answered_late,
    enqueue,
    struck_out,
)
from outreach_platform.operations.problems import Problem, Severity

START = datetime(2026, 3, 2, 10, tzinfo=UTC)
TICK = timedelta(seconds=30)


def problem(subject: str, message: str = "it broke", kind: str = "run_failed") -> Problem:
    return Problem(kind, subject, message, "mend it", Severity.ERROR, "run-1")


def events(looks: list[list[str]], step: timedelta = TICK) -> list[list[str]]:
    """What each look, a list of subjects, gives rise to."""
    book, told = Book(), []
    for turn, subjects in enumerate(looks):
        book, messages = advance(book, [problem(s) for s in subjects], START + turn * step)
        told.append([f"{m.event} {m.subject}" for m in messages])
    return told


def test_a_fault_is_told_when_it_comes_and_when_it_goes() -> None:
    assert events([[], ["WV"], ["WV"], ["WV"], [], []]) == [
        *([], ["opened WV"], [], []),
        *(["cleared WV"], []),
    ]


def test_a_look_that_fails_leaves_what_it_found_before_as_it_was() -> None:
    book, told = Book(), []
    blind = Problem("look_failed", "states", "is away", "mend it", hides=("run_failed",))
    other = Problem("disk_space", "disk", "is full", "make room")
    for turn, looked in enumerate(([problem("WV"), other], [blind], [problem("WV")], [])):
        book, messages = advance(book, looked, START + turn * TICK)
        told.append([f"{m.event} {m.subject}" for m in messages])
    assert told == [
        ["opened WV", "opened disk"],
        ["cleared disk", "opened states"],
        ["cleared states"],
        ["cleared WV"],
    ]


def test_what_follows_from_a_told_fault_is_not_told_beside_it() -> None:
    stopped = Problem("kill_switch", "WV", "K1", "look", hides=("state_stale:WV",))
    stale = [problem(state, kind="state_stale") for state in ("WV", "OH")]
    book, told = Book(), []
    for turn, looked in enumerate(
        ([stopped, *stale], [stopped], stale[:1], [stopped, stale[0]], [stopped], [])
    ):
        book, messages = advance(book, looked, START + turn * TICK)
        told.append([f"{m.event} {m.kind} {m.subject}" for m in messages])
    assert told == [
        ["opened kill_switch WV", "opened state_stale OH"],
        ["cleared state_stale OH"],
        ["cleared kill_switch WV", "opened state_stale WV"],
        ["reopened kill_switch WV"],
        [],
        ["cleared state_stale WV"],
    ], "what was told before stays until it can be seen that it is over"


def test_a_fault_that_comes_back_much_later_is_a_new_one() -> None:
    told = events([["WV"], [], [], ["WV"], []], step=CALM)
    assert told == [["opened WV"], ["cleared WV"], [], ["opened WV"], ["cleared WV"]]


def test_a_fault_that_flaps_says_so_once_and_ends_when_it_is_calm() -> None:
    flapping = [["WV"], []] * 10
    calm = [[]] * (int(CALM / TICK) + 1)
    told = [sentence for look in events(flapping + calm) for sentence in look]
    assert told == ["opened WV", "cleared WV", "reopened WV", "cleared WV"]


def test_each_incident_has_messages_with_names_of_their_own() -> None:
    book, names = Book(), []
    for turn, found in enumerate([[problem("WV"), problem("PA")], [], [problem("WV")]]):
        book, messages = advance(book, found, START + turn * TICK)
        names += [message.id for message in messages]
    assert names == ["1-opened", "2-opened", "1-cleared", "2-cleared", "3-reopened"]


def test_the_end_is_told_with_the_last_words() -> None:
    book, _ = advance(Book(), [problem("WV", "first")], START)
    book, silence = advance(book, [problem("WV", "second")], START + TICK)
    _, (end,) = advance(book, [], START + 2 * TICK)
    assert silence == []
    assert (end.event, end.message, end.opened_at) == ("cleared", "second", START)


SUBJECTS = ("WV", "PA", "VA")


@settings(max_examples=80, deadline=None)
@given(
    looks=st.lists(
        st.tuples(st.sets(st.sampled_from(SUBJECTS)), st.integers(1, 40)), min_size=1, max_size=40
    )
)
def test_every_incident_has_one_beginning_and_one_end(looks: list[tuple[set[str], int]]) -> None:
    book, now = Book(), START
    told: dict[str, list[Message]] = defaultdict(list)

    def look(subjects: set[str]) -> None:
        nonlocal book
        book, messages = advance(book, [problem(subject) for subject in subjects], now)
        # It reads back from disk as it was.
        assert Book.model_validate_json(book.model_dump_json()) == book
        for message in messages:
            told[message.subject].append(message)

    for subjects, minutes in looks:
        now += timedelta(minutes=minutes)
        look(subjects)
        for subject in subjects:
            assert told[subject][-1].event in ("opened", "reopened"), "what is wrong was told"
    # A look, then quiet for as long as a flapping fault needs, and for its memory to fade.
    for _ in range(3):
        now += CALM
        look(set())
    assert book.incidents == {}
    for messages in told.values():
        assert [m.event == "cleared" for m in messages] == [False, True] * (len(messages) // 2)
        for begun, ended in zip(messages[::2], messages[1::2], strict=True):
            assert begun.id.partition("-")[0] == ended.id.partition("-")[0]
        for before, after in zip(messages, messages[4:], strict=False):
            assert after.at - before.at >= CALM, "more than four messages in a short while"
    names = [message.id for messages in told.values() for message in messages]
    assert len(set(names)) == len(names)


def queued(count: int, targets: tuple[str, ...] = ("slack",)) -> Book:
    book, messages = advance(Book(), [problem(f"s{n:02}") for n in range(count)], START)
    return enqueue(book, messages, targets, START)


def test_messages_wait_in_order_for_each_webhook_by_itself() -> None:
    book = queued(2, ("slack", "webhook"))
    first, second = book.pending
    book = struck_out(book, first, "slack")
    assert [(m.id, m.waiting) for m in book.pending] == [
        (first.id, ("webhook",)),
        (second.id, ("slack", "webhook")),
    ]
    assert [m.id for m in struck_out(book, first, "webhook").pending] == [second.id]


def test_a_late_answer_is_counted_by_webhook() -> None:
    book = queued(1)
    book = answered_late(book, book.pending[0], "slack")
    assert answered_late(book, book.pending[0], "slack").pending[0].late == {"slack": 2}


def test_what_waits_for_a_webhook_that_is_gone_is_dropped() -> None:
    book = enqueue(queued(2, ("slack", "webhook")), [], ["webhook"], START)
    assert {m.waiting for m in book.pending} == {("webhook",)}
    assert enqueue(book, [], [], START).pending == ()


def test_too_many_messages_become_one_that_names_what_is_wrong() -> None:
    assert len(queued(MOST_WAITING).pending) == MOST_WAITING
    (digest,) = queued(MOST_WAITING + 3).pending
    assert (digest.event, digest.covers) == ("digest", MOST_WAITING + 3)
    assert "run_failed s00, run_failed s01" in digest.message
    assert digest.message.endswith("and 3 more")
    assert digest.severity is Severity.ERROR


def test_a_digest_and_what_comes_after_it_become_one_again() -> None:
    book = queued(MOST_WAITING + 1)
    gone, cleared = advance(book, [], START + TICK)
    (digest,) = enqueue(gone, cleared, ["slack"], START + TICK).pending
    assert digest.covers == 2 * (MOST_WAITING + 1)
    assert digest.message == "nothing is wrong any more"


def test_a_message_that_waited_too_long_says_what_is_wrong_now() -> None:
    late = START + LONGEST_WAIT + TICK
    book, _ = advance(queued(1), [problem("s00")], late)
    (digest,) = enqueue(book, [], ["slack"], late).pending
    assert (digest.event, digest.message) == ("digest", "wrong now: run_failed s00")


@pytest.mark.parametrize("wait", [LONGEST_WAIT - TICK, LONGEST_WAIT + TICK])
def test_old_messages_about_nothing_are_forgotten(wait: timedelta) -> None:
    book, cleared = advance(queued(1), [], START + TICK)
    book = enqueue(book, cleared, ["slack"], START + TICK)
    left = enqueue(book, [], ["slack"], START + wait).pending
    assert [m.event for m in left] == (["opened", "cleared"] if wait < LONGEST_WAIT else [])
