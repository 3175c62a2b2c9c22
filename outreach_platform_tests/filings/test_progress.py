"""How far a long piece of work is, in a sentence now and then."""

from outreach_platform.filings.progress import Rate


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_it_tells_every_five_seconds_and_at_the_end() -> None:
    clock, told = Clock(), []
    rate = Rate(40, told.append, clock=clock)
    for _ in range(40):
        clock.now += 0.5
        rate.step(failed=False)
    assert len(told) == 4
    assert told[0] == "10 of 40 filings read, 2.0 a second, 15 s left"
    assert told[-1] == "40 of 40 filings read, 2.0 a second"


def test_failures_are_counted() -> None:
    clock, told = Clock(), []
    rate = Rate(2, told.append, "merged", clock=clock)
    clock.now += 1
    rate.step(failed=True)
    clock.now += 1
    rate.step(failed=False)
    assert told == ["2 of 2 filings merged, 1.0 a second, 1 failed"]


def test_work_that_takes_no_time_divides_by_nothing() -> None:
    told: list[str] = []
    Rate(1, told.append, clock=Clock()).step(failed=False)
    assert told[0].startswith("1 of 1 filings read")
