"""Which users and protocols can be analysed, and what came of it.

An interruption is where a protocol's first intervention follows its baseline, under a design that
does not go back and forth. ABAB protocols are taken one by one; observations of no protocol count
as one more study of their user.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import duckdb

from outreach_platform.events.abab import AbabResult, abab
from outreach_platform.events.its import ItsResult, its
from outreach_platform.events.layout import EventFolder
from outreach_platform.events.research_sql import EXPORTS, SCHEMA
from outreach_platform.foundation.errors import SourceError
from outreach_platform.foundation.lake import Record, write_record
from outreach_platform.foundation.warehouse import quote_text

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["its", "abab"]
# Designs that return to the baseline, or mix conditions, have no single interruption.
_NO_INTERRUPTION = ("ABAB", "ALTERNATING")


class Study(Record):
    """One user under one protocol, and its result.

    Attributes:
        user_id: the user.
        protocol_id: the protocol, None where there is none.
        protocol: its name, for people.
        its: the result of an interrupted time series, or None.
        abab: the result of an ABAB comparison, or None.
    """

    user_id: str
    protocol_id: str | None
    protocol: str | None
    its: ItsResult | None = None
    abab: AbabResult | None = None


class StudiesRecord(Record):
    """All studies of one kind, as they were last estimated.

    Attributes:
        kind: of analysis.
        stamp: the export they rest on, None where the research database says none.
        studies: one each.
        estimated_at: when.
        run_id: by which run.
    """

    kind: Kind
    stamp: str | None
    studies: list[Study]
    estimated_at: datetime
    run_id: str


@dataclass(frozen=True)
class Analysed:
    """A study with the rows it rests on, for pictures."""

    study: Study
    rows: "pd.DataFrame"


def open_research(database: Path) -> duckdb.DuckDBPyConnection:
    """Open the research database for reading.

    Raises:
        SourceError: it is not there, or somebody has it open for writing.
    """
    if not database.exists():
        raise SourceError(
            f"there is no research database {database}: run `outreach events --sync-duckdb`"
        )
    try:
        connection = duckdb.connect(str(database), read_only=True)
        connection.execute("SET TimeZone = 'UTC'")
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        raise SourceError(
            f"{database} cannot be read ({reason}): close the program that writes to it and run "
            "again; a damaged file is replaced by `outreach events --sync-duckdb`"
        ) from None
    return connection


@contextmanager
def _answering() -> Iterator[None]:
    """Say what to do where the schema is missing, or the export that its view shows is gone."""
    try:
        yield
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        raise SourceError(
            f"the research database cannot answer ({reason}): run `outreach events --sync-duckdb`, "
            "which builds it anew"
        ) from None


def analyse_its(connection: duckdb.DuckDBPyConnection) -> list[Analysed]:
    """Interrupted time series of every protocol that has an interruption, by user and protocol.

    Days are whole: of a protocol's first and last day all sessions count. One query reads the days
    of all users, as one a user takes 40 ms each on a million events.

    Raises:
        SourceError: the research database cannot answer.
    """
    with _answering():
        interruptions = _interruptions(connection)
        everyone = connection.execute(
            f'SELECT * FROM {SCHEMA}.its_daily WHERE "userId" IN '
            f'(SELECT "userId" FROM {SCHEMA}.experiment_protocols) ORDER BY "userId", day'
        ).df()
    by_user = dict(iter(everyone.groupby("userId")))
    found = []
    for user, protocol, name, first, last, intervention in interruptions:
        days = _between(by_user.get(user, everyone.head(0)), first, last)
        result = its(days, intervention)
        study = Study(user_id=user, protocol_id=protocol, protocol=name, its=result)
        found.append(Analysed(study, days))
    return found


def _between(days: "pd.DataFrame", first: date, last: date | None) -> "pd.DataFrame":
    """A user's days from `first` to `last`, both included, or to the end, without the user."""
    import pandas as pd

    kept = days["day"] >= pd.Timestamp(first)
    if last is not None:
        kept &= days["day"] <= pd.Timestamp(last)
    return days.loc[kept].drop(columns="userId").reset_index(drop=True)


def _interruptions(
    connection: duckdb.DuckDBPyConnection,
) -> list[tuple[str, str, str | None, date, date | None, date]]:
    """User, protocol, its name, first and last day, and the intervention's day."""
    designs = ", ".join(quote_text(design) for design in _NO_INTERRUPTION)
    begins = 'min(a."startDate") FILTER (starts_with(a."phaseType", {}))'
    baseline, intervention = (begins.format(f"'{kind}'") for kind in ("BASELINE", "INTERVENTION"))
    # A protocol ends before its endDate, which is most often a midnight.
    return connection.execute(
        'SELECT p."userId", p.id, p."protocolName", p."startDate"::DATE, '
        f'(p."endDate" - INTERVAL 1 MICROSECOND)::DATE, ({intervention})::DATE '
        f"FROM {SCHEMA}.experiment_protocols p "
        f'JOIN {SCHEMA}.phase_assignments a ON a."protocolId" = p.id '
        f'WHERE p."designType" NOT IN ({designs}) AND p."startDate" IS NOT NULL '
        'GROUP BY p."userId", p.id, p."protocolName", p."startDate", p."endDate" '
        f"HAVING {baseline} < {intervention} ORDER BY ALL"
    ).fetchall()


def analyse_abab(connection: duckdb.DuckDBPyConnection) -> list[Analysed]:
    """ABAB comparisons of every user and protocol with observations, by user and protocol.

    Raises:
        SourceError: the research database cannot answer.
    """
    with _answering():
        everyone = connection.execute(
            f'SELECT o.*, p."protocolName" FROM {SCHEMA}.abab_observations o '
            f'LEFT JOIN {SCHEMA}.experiment_protocols p ON p.id = o."protocolId" '
            'ORDER BY o."timestamp", o.phase, o.score'
        ).df()
    keys = ["userId", "protocolId", "protocolName"]
    found = []
    for _, rows in everyone.groupby(keys, dropna=False):
        user, protocol, name = (v if isinstance(v, str) else None for v in rows[keys].iloc[0])
        own = rows.drop(columns=keys).reset_index(drop=True)
        study = Study(user_id=str(user), protocol_id=protocol, protocol=name, abab=abab(own))
        found.append(Analysed(study, own))
    return found


def keep_studies(
    folder: EventFolder,
    kind: Kind,
    connection: duckdb.DuckDBPyConnection,
    analysed: list[Analysed],
    run_id: str,
) -> StudiesRecord:
    """Write the results of one kind, in place of the last ones.

    Raises:
        SourceError: the research database cannot say which export it shows.
    """
    with _answering():
        stamp = connection.execute(f"SELECT max(stamp) FROM {EXPORTS}").fetchone()
    record = StudiesRecord(
        kind=kind,
        stamp=stamp[0] if stamp else None,
        studies=[each.study for each in analysed],
        estimated_at=datetime.now(UTC),
        run_id=run_id,
    )
    write_record(studies_file(folder, kind), record)
    return record


def studies_file(folder: EventFolder, kind: Kind) -> Path:
    """Where the results of one kind stand."""
    return folder.data_dir / "lake" / "analyses" / f"{kind}.json"
