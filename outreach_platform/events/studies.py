"""Which users and protocols can be analysed, and what came of it.

An interruption is where a protocol's first intervention follows its baseline, under a design that
does not go back and forth. ABAB protocols are taken one by one; observations of no protocol count
as one more study of their user.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import duckdb

from outreach_platform.events.abab import AbabResult, abab, abab_observations
from outreach_platform.events.its import ItsResult, its, its_daily
from outreach_platform.events.layout import EventFolder
from outreach_platform.events.research_sql import SCHEMA
from outreach_platform.foundation.errors import SourceError
from outreach_platform.foundation.lake import Record, write_record

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
    try:
        connection = duckdb.connect(str(database), read_only=True)
        connection.execute("SET TimeZone = 'UTC'")
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        raise SourceError(
            f"the research database cannot be read ({reason}): run `outreach events --sync-duckdb`"
        ) from None
    return connection


def analyse_its(connection: duckdb.DuckDBPyConnection) -> list[Analysed]:
    """Interrupted time series of every protocol that has an interruption, by user and protocol."""
    found = []
    for user, protocol, name, start, end, intervention in _interruptions(connection):
        days = its_daily(connection, user, start, end)
        study = Study(
            user_id=user, protocol_id=protocol, protocol=name, its=its(days, intervention)
        )
        found.append(Analysed(study, days))
    return found


def _interruptions(
    connection: duckdb.DuckDBPyConnection,
) -> list[tuple[str, str, str | None, date, date | None, date]]:
    designs = ", ".join(f"'{design}'" for design in _NO_INTERRUPTION)
    return connection.execute(
        'SELECT p."userId", p.id, p."protocolName", p."startDate"::DATE, p."endDate"::DATE, '
        'min(a."startDate")::DATE '
        f"FROM {SCHEMA}.experiment_protocols p "
        f'JOIN {SCHEMA}.phase_assignments a ON a."protocolId" = p.id '
        f'WHERE p."designType" NOT IN ({designs}) AND p."startDate" IS NOT NULL '
        "AND a.\"phaseType\" LIKE 'INTERVENTION%' "
        f'AND EXISTS (SELECT 1 FROM {SCHEMA}.phase_assignments b WHERE b."protocolId" = p.id '
        'AND b."phaseType" = \'BASELINE\' AND b."startDate" < a."startDate") '
        "GROUP BY ALL ORDER BY ALL"
    ).fetchall()


def analyse_abab(connection: duckdb.DuckDBPyConnection) -> list[Analysed]:
    """ABAB comparisons of every user and protocol with observations, by user and protocol."""
    pairs = connection.execute(
        'SELECT DISTINCT o."userId", o."protocolId", p."protocolName" '
        f"FROM {SCHEMA}.abab_observations o "
        f'LEFT JOIN {SCHEMA}.experiment_protocols p ON p.id = o."protocolId" ORDER BY ALL'
    ).fetchall()
    found = []
    for user, protocol, name in pairs:
        rows = abab_observations(connection, user, protocol)
        study = Study(user_id=user, protocol_id=protocol, protocol=name, abab=abab(rows))
        found.append(Analysed(study, rows))
    return found


def keep_studies(
    folder: EventFolder,
    kind: Kind,
    connection: duckdb.DuckDBPyConnection,
    analysed: list[Analysed],
    run_id: str,
) -> StudiesRecord:
    """Write the results of one kind, in place of the last ones."""
    stamp = connection.execute(f"SELECT max(stamp) FROM {SCHEMA}.exports").fetchone()
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
