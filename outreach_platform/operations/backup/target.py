"""Where a backup may be put, and the folder it grows in: `TARGET.partial`, renamed at the end.

The partial folder holds a lock. One whose lock is free is of a backup that was killed, and goes.
"""

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from outreach_platform.embedded.layout import Layout, open_lock, try_lock, wait_lock
from outreach_platform.foundation.errors import BusyError, UsageError
from outreach_platform.foundation.lake import PARTIAL, sync_folder
from outreach_platform.foundation.locks import NamedLock

LOCK = ".outreach-backup.lock"
# A killed backup's database server ends by itself within seconds.
_SERVER_SECONDS = 60.0
_MB = 1_000_000
_DISK_BLOCK = 512
_logger = logging.getLogger(__name__)


def partial_of(target: Path) -> Path:
    """The folder that a backup grows in."""
    return target.with_name(f"{target.name}{PARTIAL}")


def check_target(target: Path, data_dir: Path) -> Path:
    """Refuse a folder that cannot take a backup; nothing is written.

    Args:
        target: as somebody named it.
        data_dir: the data folder, absolute.

    Returns:
        It, absolute.

    Raises:
        UsageError: it is there and not empty, overlaps the data folder, or cannot be made.
    """
    try:
        path, source = target.expanduser().resolve(), data_dir.resolve()
    except (RuntimeError, OSError) as error:
        raise UsageError(f"{target} is no path: {error}") from None
    if path.is_relative_to(source) or source.is_relative_to(path):
        raise UsageError(
            f"{path} and the data folder {source} lie one in the other: name a folder elsewhere, "
            "best on another disk"
        )
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path} is no folder: name another one")
    parent = path.parent
    if not parent.is_dir():
        raise UsageError(
            f"{parent} is not there: make it, or see that its disk is mounted, and run again"
        )
    if not os.access(parent, os.W_OK | os.X_OK) or not _is_free(path):
        raise UsageError(f"{parent} cannot be written: name a folder where you may write")
    if path.is_mount():
        raise UsageError(f"{path} is a disk of its own: name a new folder inside it")
    return path


def _is_free(path: Path) -> bool:
    """Whether nothing, or an empty folder, stands there; False where one may not look.

    Raises:
        UsageError: there is something.
    """
    try:
        if path.exists() and any(path.iterdir()):
            raise UsageError(
                f"{path} is there and not empty: name a new folder; a backup never overwrites one"
            )
    except OSError:
        return False
    return True


def require_space(target: Path, needed: int) -> None:
    """Refuse where the disk of `target` has less than `needed` bytes.

    What killed backups left there counts as room: it goes before anything is copied.

    Raises:
        UsageError: too little room.
    """
    free = shutil.disk_usage(target.parent).free
    free += sum(_size(lock.parent) for lock in _locks(target.parent) if not _is_held(lock))
    if free < needed:
        raise UsageError(
            f"a backup takes about {needed / _MB:,.0f} MB, and the disk of {target.parent} has "
            f"{free / _MB:,.0f} MB left: free some space, or name a folder on another disk"
        )


@contextmanager
def claimed(target: Path, owner: str) -> Iterator[Path]:
    """Yield the partial folder, empty and locked; at the end it takes the name `target`.

    On an error, an interrupt too, it is removed. What killed backups left beside it is removed
    first.

    Raises:
        BusyError: another backup to this target is under way.
        UsageError: the target came to be meanwhile.
        OSError: the folder refuses.
    """
    _sweep(target.parent, spare=partial_of(target))
    partial = partial_of(target)
    lock = NamedLock(partial / LOCK, f"the backup to {target}")
    _acquire(lock, partial, owner)
    try:
        try:
            check_target(target, partial)
            _clear(partial)
            yield partial
            # Over an empty folder too; over anything else the system refuses.
            partial.rename(target)
        except BaseException:
            remove(partial)
            raise
        sync_folder(target.parent)
        for name in (LOCK, f"{Path(LOCK).stem}.holder.json"):
            (target / name).unlink(missing_ok=True)
    finally:
        lock.release()


def _acquire(lock: NamedLock, partial: Path, owner: str) -> None:
    partial.mkdir(mode=0o700, exist_ok=True)
    try:
        lock.acquire(owner, 0)
        if (partial / LOCK).exists():
            return
    except FileNotFoundError:
        pass
    # The folder was another backup's, which has taken its name at this moment.
    lock.release()
    raise BusyError(f"{partial} has just become a whole backup: name a new folder")


def _locks(parent: Path) -> list[Path]:
    """The locks of all partial folders in a folder, of living and of killed backups."""
    return sorted(parent.glob(f"*{PARTIAL}/{LOCK}"))


def _is_held(lock: Path) -> bool:
    try:
        handle = open_lock(lock)
    except OSError:
        return True  # somebody else's: not ours to judge
    try:
        return not try_lock(handle)
    finally:
        os.close(handle)


def _size(folder: Path) -> int:
    found = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                found += Path(parent, name).lstat().st_blocks * _DISK_BLOCK
    return found


def _sweep(parent: Path, spare: Path) -> None:
    """Remove what killed backups to other targets left in a folder."""
    for lock in _locks(parent):
        if lock.parent == spare or _is_held(lock):
            continue
        held = NamedLock(lock, "a killed backup")
        try:
            held.acquire("clean-up", 0)
        except BusyError:
            continue
        try:
            _logger.warning("removing %s, which a killed backup left", lock.parent)
            remove(lock.parent)
        finally:
            held.release()


def _clear(partial: Path) -> None:
    """Remove everything but the lock and the note of its holder."""
    _await_server(partial)
    for path in partial.iterdir():
        if not path.name.startswith(Path(LOCK).stem):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def remove(partial: Path) -> None:
    """Remove a partial folder whose lock one holds."""
    _await_server(partial)
    shutil.rmtree(partial, ignore_errors=True)


def _await_server(partial: Path) -> None:
    """Wait until the database server of a killed backup is down: it would write on."""
    path = Layout(partial / "embedded").supervisor_lock
    if not path.exists():
        return
    lock = open_lock(path)
    try:
        wait_lock(lock, _SERVER_SECONDS)
    finally:
        os.close(lock)


def give_to_owner(target: Path, data_dir: Path) -> None:
    """As root, give what root made in a copy to the owner of the data folder, who is to use it.

    PostgreSQL's own files belong to its server's user already.

    Raises:
        OSError: the file system refuses.
    """
    owner = data_dir.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        return
    for parent, folders, names in os.walk(target):
        if Path(parent) == Layout(target / "embedded").folder:
            folders[:] = [name for name in folders if name != Layout(target).cluster.name]
        for name in (*folders, *names):
            path = Path(parent, name)
            if path.lstat().st_uid == 0:
                os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
