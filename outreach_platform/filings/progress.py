"""Says how far a long piece of work is: how many, how fast, how long still."""

import time
from collections.abc import Callable

_EVERY_SECONDS = 5.0


class Rate:
    """Counts what is done, and tells now and then.

    Args:
        total: how many there are.
        tell: is told a sentence.
        done: what is done to each, as a participle.
        clock: seconds, for tests.
    """

    def __init__(
        self,
        total: int,
        tell: Callable[[str], object],
        done: str = "read",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._total, self._tell, self._done, self._clock = total, tell, done, clock
        self._count = self._failed = 0
        self._started = self._told = clock()

    def step(self, *, failed: bool) -> None:
        """One more is done."""
        self._count += 1
        self._failed += failed
        now = self._clock()
        if self._count == self._total or now - self._told >= _EVERY_SECONDS:
            self._told = now
            self._tell(self.sentence(now))

    def sentence(self, now: float) -> str:
        """How far it is at a time of the clock."""
        rate = self._count / max(now - self._started, 1e-3)
        words = [f"{self._count:,} of {self._total:,} filings {self._done}", f"{rate:.1f} a second"]
        if left := self._total - self._count:
            words.append(f"{left / rate:.0f} s left")
        if self._failed:
            words.append(f"{self._failed:,} failed")
        return ", ".join(words)
