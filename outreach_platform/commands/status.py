"""`outreach status`: per state the last success, the last run, counts and open problems."""

from datetime import UTC, datetime
from typing import Any

from outreach_platform.foundation.errors import IntegrityError
from outreach_platform.foundation.lake import read_record
from outreach_platform.records.states import STATES
from outreach_platform.settings import Settings
from outreach_platform.snapshots import auditing
from outreach_platform.snapshots.layout import TABLES, Outcome, StateFolder
from outreach_platform.snapshots.records import survey


def status_rows(settings: Settings) -> list[dict[str, Any]]:
    """One row a state, read from disk alone."""
    rows = [_state_row(StateFolder(settings.data_dir, state)) for state in STATES]
    waiting = len(list(auditing.spool_folder(settings.data_dir).glob("*.json")))
    if waiting:
        problem = f"{waiting} audit rows wait for the database; the next run writes them"
        rows[0]["problems"].append(problem)
    return rows


def _state_row(folder: StateFolder) -> dict[str, Any]:
    found, problems = survey(folder)
    newest, receipt = found[-1] if found else (None, None)
    outcome = _last_outcome(folder)
    status = "published" if newest else "never run"
    if outcome is not None and (newest is None or outcome.version > newest.version):
        status = outcome.status
        problems.append(outcome.message)
    if newest is not None:
        gone = [f.path for f in newest.files.values() if not (folder.data_dir / f.path).exists()]
        problems += [f"{path} is gone from disk" for path in gone]
    return {
        "state": folder.state,
        "status": status,
        "last_published": newest.version if newest else None,
        "age": age_of(receipt.published_at) if receipt else None,
        **{table: newest.counts[table] if newest else None for table in TABLES},
        "snapshots": len(found),
        "problems": problems,
    }


def _last_outcome(folder: StateFolder) -> Outcome | None:
    for version in reversed(folder.versions()):
        try:
            return read_record(folder.outcome(version), Outcome)
        except FileNotFoundError:
            if folder.receipt(version).exists():
                return None
        except IntegrityError:
            continue
    return None


def age_of(moment: datetime) -> str:
    """How long ago a moment (aware) is, in its largest unit."""
    seconds = (datetime.now(UTC) - moment).total_seconds()
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
