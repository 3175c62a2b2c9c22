"""What the research database and the export are like: query times, bytes a row, validation."""

import statistics
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import duckdb
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.events_bench import DAYS, FORMS, Bench, Form
from benchmarks.measure import Timing
from outreach_platform.events import analysis
from outreach_platform.events.judgement import PULLED, judge
from outreach_platform.events.rules import JSON_VALID
from outreach_platform.events.source import DAY

_RUNS = 40
_ITS_AIM, _ABAB_AIM = 0.050, 0.300
_SMALL = 100_000
_ITS_USERS = 'SELECT "userId" FROM research.its_daily GROUP BY ALL HAVING count(*) >= 16'
_ABAB_USERS = """
SELECT "userId", "protocolId" FROM (
    SELECT "userId", "protocolId", phase FROM research.abab_observations
    GROUP BY ALL HAVING count(*) >= 5
) GROUP BY ALL HAVING count(*) = 4
"""


class Facts:
    """A table of single readings beside their aims."""

    def __init__(self, title: str) -> None:
        self._table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left")
        for name in ("reading", "value", "aim", ""):
            self._table.add_column(name, justify="left" if name == "reading" else "right")

    def add(self, name: str, value: float, unit: str, aim: float | None = None) -> None:
        """One reading; at most its aim is what is wanted."""
        verdict = "" if aim is None else ("met" if value <= aim else "missed")
        self._table.add_row(
            name, f"{value:,.1f} {unit}", "" if aim is None else f"{aim:,.0f} {unit}", verdict
        )

    def show(self) -> None:
        """Print it."""
        Console(width=110).print(self._table)


def run(bench: Bench, table: Timing) -> None:
    """Print all readings.

    Args:
        bench: the source, loaded.
        table: the full run to the indexed table, measured before.
    """
    for form in FORMS:
        bench.events(bench.folder / form, form=form)
        standing_queries(bench, form)
    export = (bench.folder / "view" / "raw" / "behavioral_events_latest.parquet").resolve()
    sizes(export, bench.folder)
    absolute_targets(bench, export, table)


def standing_queries(bench: Bench, form: Form) -> None:
    """ITS and ABAB for 40 users, as a notebook asks for them on a connection it keeps open."""
    database = bench.folder / form / "duckdb" / "analytics.duckdb"
    middle = (bench.held.end - timedelta(days=DAYS // 2)).date()
    facts = Facts(f"events: standing queries on the {form}, {_RUNS} runs")
    with duckdb.connect(str(database), read_only=True) as connection:
        its_users = _spread(connection.execute(f"{_ITS_USERS} ORDER BY ALL").fetchall())
        abab_users = _spread(connection.execute(f"{_ABAB_USERS} ORDER BY ALL").fetchall())

        def its_query(user: str) -> None:
            analysis.its_daily(connection, user)

        def its(user: str) -> None:
            analysis.its(analysis.its_daily(connection, user), middle)

        def abab(user: str, protocol: str | None) -> None:
            analysis.abab(analysis.abab_observations(connection, user, protocol))

        for name, way, users, aim in (
            ("ITS, the query", its_query, its_users, _ITS_AIM),
            ("ITS, query and regression", its, its_users, None),
            ("ABAB, query and 10,000 permutations", abab, abab_users, _ABAB_AIM),
        ):
            seconds = _timed(way, users)
            p95 = statistics.quantiles(seconds, n=20)[-1]
            facts.add(f"{name}: median", statistics.median(seconds) * 1000, "ms")
            facts.add(f"{name}: p95", p95 * 1000, "ms", aim and aim * 1000)
    facts.show()


def _spread(users: list[tuple]) -> list[tuple]:
    """As many users as there are runs, from all over the list, some again where it is short."""
    if not users:
        raise RuntimeError("no user has enough observations; the benchmark needs more events")
    return [users[number * len(users) // _RUNS] for number in range(_RUNS)]


def _timed(way: Callable[..., None], users: Sequence[tuple]) -> list[float]:
    way(*users[0])  # imports, and the file's metadata
    seconds = []
    for user in users:
        started = time.perf_counter()
        way(*user)
        seconds.append(time.perf_counter() - started)
    return seconds


def sizes(export: Path, folder: Path) -> None:
    """Bytes a row of the export, written anew under either compression, and of the ids alone."""
    facts = Facts("events: bytes a row under either compression")
    bytes_a_row: dict[str, float] = {}
    with duckdb.connect() as engine:
        rows = _number(engine, f"SELECT count(*) FROM '{export}'")
        facts.add("the export as it stands", export.stat().st_size / rows, "bytes")
        for what, columns in (("all columns", "*"), ("the ids alone", "id")):
            for codec in ("snappy", "zstd"):
                target = folder / f"{codec}.parquet"
                started = time.perf_counter()
                engine.execute(
                    f"COPY (SELECT {columns} FROM '{export}') TO '{target}' "
                    f"(FORMAT parquet, COMPRESSION {codec})"
                )
                seconds = time.perf_counter() - started
                name = f"{what}, {codec} ({seconds:.1f} s to write)"
                bytes_a_row[f"{what} {codec}"] = target.stat().st_size / rows
                facts.add(name, bytes_a_row[f"{what} {codec}"], "bytes")
                target.unlink()
    saved = 1 - bytes_a_row["all columns zstd"] / bytes_a_row["all columns snappy"]
    facts.add("what compression = zstd would save of snappy's", saved * 100, "%")
    facts.show()


def absolute_targets(bench: Bench, export: Path, table: Timing) -> None:
    """The older targets, in seconds, for information: they hold on any machine or none."""
    facts = Facts("events: the older targets, for information")
    events = bench.held.events
    facts.add(f"validation alone, {events:,} rows", _validation(export, bench), "s", 15)
    days = max(1, round(DAYS * _SMALL / events)) if events > _SMALL else DAYS
    started = time.perf_counter()
    bench.once(form="table", days=days)
    facts.add(
        f"{days} of {DAYS} days, a full run to the indexed table",
        time.perf_counter() - started,
        "s",
        30,
    )
    facts.add(f"all {events:,} events, a full run to the indexed table", table.median, "s", 120)
    facts.show()


def _validation(export: Path, bench: Bench) -> float:
    """Seconds that the extraction's own judgement takes, doubled ids among it."""
    with duckdb.connect(config={"threads": 2}) as engine:
        engine.execute(
            f"CREATE TABLE {PULLED} AS SELECT *, true AS {JSON_VALID}, "
            f"strftime(\"timestamp\", '%Y-%m-%d') AS {DAY} FROM '{export}'"
        )
        started = time.perf_counter()
        found = judge(engine, bench.held.now)
        seconds = time.perf_counter() - started
    if found.bad_rows or found.warnings:
        raise RuntimeError("the benchmark's rows should all be valid")
    return seconds


def _number(engine: duckdb.DuckDBPyConnection, query: str) -> int:
    row = engine.execute(query).fetchone()
    return int(row[0]) if row else 0
