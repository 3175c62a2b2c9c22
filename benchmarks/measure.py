"""Timing in turns and tables of ratios."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Timing:
    """Wall seconds of one way of doing a thing, over all rounds."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The figure to compare by."""
        return statistics.median(self.seconds)


def in_turns(ways: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, Timing]:
    """Run all ways one after the other, `rounds` times, so that noise hits all of them alike."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - started)
    return {name: Timing(tuple(values)) for name, values in seconds.items()}


def show(title: str, timings: Mapping[str, Timing], ours: str, aims: Mapping[str, float]) -> None:
    """Print each way's median and spread, and ours as a multiple of it beside the aim.

    Args:
        title: what was measured.
        timings: by name of the way.
        ours: the name of our way.
        aims: by name of another way, the largest multiple of it that we aim for.
    """
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left")
    for name in ("way", "median s", "min s", "max s", "ours / this", "aim", ""):
        table.add_column(name, justify="left" if name == "way" else "right")
    for name, timing in timings.items():
        ratio = timings[ours].median / timing.median
        aim = aims.get(name)
        verdict = "" if aim is None else ("met" if ratio <= aim else "missed")
        table.add_row(
            name,
            f"{timing.median:.2f}",
            f"{min(timing.seconds):.2f}",
            f"{max(timing.seconds):.2f}",
            "" if name == ours else f"{ratio:.2f}",
            "" if aim is None else f"{aim:.2f}",
            verdict,
        )
    Console(width=110).print(table)
