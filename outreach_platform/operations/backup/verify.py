"""Whether a copy is what its own records say: versions, exports and days, each by checksum."""

from collections.abc import Iterator
from pathlib import Path

from outreach_platform.events.layout import EventFolder
from outreach_platform.events.records import DayManifest
from outreach_platform.events.verify import verify_exports
from outreach_platform.foundation.errors import IntegrityError
from outreach_platform.foundation.lake import read_record, stands
from outreach_platform.foundation.objects.local import LocalStore
from outreach_platform.foundation.verification import VersionCheck
from outreach_platform.records.states import STATES
from outreach_platform.snapshots.layout import StateFolder
from outreach_platform.snapshots.verify import StoreWatch, verify_state

_ELSEWHERE = "the objects are not part of the copy"


def copy_problems(data_dir: Path, bucket: str | None) -> Iterator[str]:
    """What disagrees in a copy, a sentence each.

    Args:
        data_dir: the copy.
        bucket: of the local object store; None where objects are kept elsewhere.
    """
    # The store is not asked once there is a problem with it.
    watch = StoreWatch(
        LocalStore(data_dir / "objects", bucket or "none"),
        problem=None if bucket else _ELSEWHERE,
    )
    for state in STATES:
        for check in verify_state(StateFolder(data_dir, state), watch):
            yield from _told(check, data_dir)
    events = EventFolder(data_dir)
    for check in verify_exports(events):
        yield from _told(check, data_dir)
    for day in events.standing_days():
        try:
            file = read_record(events.manifest(day), DayManifest).file
            problem = (
                None if stands(data_dir, file) else f"{file.path} is not what its manifest says"
            )
        except IntegrityError as error:
            problem = _short(str(error), data_dir)
        if problem:
            yield f"events of {day}: {problem}"


def _told(check: VersionCheck, data_dir: Path) -> Iterator[str]:
    for problem in check.problems:
        yield f"{check.subject} {check.version}: {_short(problem, data_dir)}"


def _short(problem: str, data_dir: Path) -> str:
    """Without the folder, which gets another name at the end."""
    return problem.replace(f"{data_dir}/", "")
