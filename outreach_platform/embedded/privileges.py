"""As root, runs PostgreSQL as somebody else, because it refuses to run as root.

Only PostgreSQL's own folders change owner; no permission of a parent folder is ever touched. Where
that user cannot enter a parent (mode 0700: /root, pytest's and mkdtemp's folders), the server keeps
the one capability that lets it pass, CAP_DAC_READ_SEARCH or else CAP_DAC_OVERRIDE, as an ambient
capability across the change of user. SECBIT_NO_SETUID_FIXUP is needed with it: without that bit
access(2), with which PostgreSQL checks its programs, ignores capabilities of users other than root.
Linux only; elsewhere the parents have to be passable.
"""

import ctypes
import os
import pwd
import signal
import stat
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from outreach_platform.foundation.errors import UsageError

FALLBACK_USER = "nobody"
_PR_SET_PDEATHSIG = 1
_PR_SET_SECUREBITS = 28
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_SECBIT_NO_SETUID_FIXUP = 1 << 2
_CAP_DAC_OVERRIDE = 1
_CAP_DAC_READ_SEARCH = 2
_CAPABILITY_VERSION_3 = 0x20080522


@dataclass(frozen=True)
class Identity:
    """Who the server runs as.

    Attributes:
        uid: user, None for the user we are.
        gid: group, None likewise.
        capability: number of the ambient capability it keeps, None for none.
    """

    uid: int | None = None
    gid: int | None = None
    capability: int | None = None

    def own(self, path: Path) -> None:
        """Give one file or folder to the server's user; nothing where that is us.

        Raises:
            OSError: the file system refuses.
        """
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def own_tree(self, path: Path) -> None:
        """Give a folder and all in it to the server's user, following no links."""
        if self.uid is None:
            return
        for parent, folders, files in os.walk(path, followlinks=False):
            for name in (*folders, *files):
                self.own(Path(parent, name))
        self.own(path)

    def preexec(self, death_signal: signal.Signals) -> Callable[[], None]:
        """What a child does between fork and exec: become the user, and die with its parent.

        Args:
            death_signal: what the kernel sends to the child when this process ends (Linux).
        """
        libc = _libc()  # Loaded before the fork: nothing but system calls belongs behind it.
        parent = os.getpid()

        def become() -> None:
            self._become(libc)
            # The change of user clears the death signal, so it is set afterwards.
            if libc is not None:
                _prctl(libc, _PR_SET_PDEATHSIG, int(death_signal))
            if os.getppid() != parent:
                os._exit(1)

        return become

    def _become(self, libc: ctypes.CDLL | None) -> None:
        if self.uid is None or self.gid is None:
            return
        if libc is not None and self.capability is not None:
            _prctl(libc, _PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP)
        os.setgroups([])
        os.setgid(self.gid)
        os.setuid(self.uid)
        if libc is not None and self.capability is not None:
            _keep_only(libc, self.capability)


def server_identity(cluster: Path, programs: Iterable[Path]) -> Identity:
    """Decide who runs the server of `cluster`.

    Args:
        cluster: PostgreSQL's data directory, there or not yet; its parent is there.
        programs: files that the user must be able to reach.

    Raises:
        UsageError: the cluster belongs to somebody else, or the user cannot get there.
    """
    if os.geteuid() != 0:
        check_owner(cluster)
        return Identity()
    user = _owner(cluster) or _owner_with_name(cluster.parent) or _fallback(cluster)
    if sys.platform == "linux" and _CAP_DAC_OVERRIDE not in _available_capabilities():
        raise UsageError(
            f"PostgreSQL does not run as root, and this root may not open what another user owns "
            f"in {cluster.parent} (CAP_DAC_OVERRIDE was taken away): run as an ordinary user"
        )
    needed = [cluster if cluster.exists() else cluster.parent, *programs]
    blocked = _blocked(user, needed)
    if blocked is None:
        return user
    for capability in _available_capabilities():
        candidate = replace(user, capability=capability)
        if _blocked(candidate, needed) is None:
            return candidate
    raise UsageError(
        f"PostgreSQL does not run as root, and user {_name(user.uid)} cannot enter the folders "
        f"above {blocked}: run as an ordinary user, or have it (OUTREACH_DATA_DIR, or the "
        "checkout) in a place that all users can enter, such as /srv"
    )


def check_owner(cluster: Path) -> None:
    """Refuse a cluster that an ordinary user cannot run.

    Raises:
        UsageError: it belongs to somebody else.
    """
    try:
        owner = cluster.stat().st_uid
    except OSError:
        return
    if os.geteuid() not in (0, owner):
        raise UsageError(
            f"{cluster} belongs to user {_name(owner)}, because another user or root started the "
            f"embedded databases first: go on as that user, or set OUTREACH_DATA_DIR to another "
            f"folder"
        )


def _owner(path: Path) -> Identity | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return Identity(status.st_uid, status.st_gid) if status.st_uid != 0 else None


def _owner_with_name(folder: Path) -> Identity | None:
    """The folder's owner, so that a later run without root goes on; initdb insists on a name."""
    owner = _owner(folder)
    if owner is None or owner.uid is None or _entry(owner.uid) is None:
        return None
    return owner


def _fallback(cluster: Path) -> Identity:
    try:
        entry = pwd.getpwnam(FALLBACK_USER)
    except KeyError:
        raise UsageError(
            f"PostgreSQL does not run as root and there is no user {FALLBACK_USER}: give "
            f"{cluster.parent} to an ordinary user (chown), or run as one"
        ) from None
    return Identity(entry.pw_uid, entry.pw_gid)


def _entry(uid: int) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwuid(uid)
    except KeyError:
        return None


def _name(uid: int | None) -> str:
    entry = _entry(uid) if uid is not None else None
    return entry.pw_name if entry else str(uid)


def _blocked(identity: Identity, paths: list[Path]) -> Path | None:
    """The first path that the user cannot reach, tried in a child that becomes the user."""
    libc = _libc()
    wanted = [(path, _wanted_access(path)) for path in paths]
    child = os.fork()
    if child == 0:
        answer = 255
        try:
            identity._become(libc)
            # access(2), as PostgreSQL does: it is stricter than opening the file would be.
            reached = [os.access(path, mode) for path, mode in wanted]
            answer = reached.index(False) + 1 if False in reached else 0
        finally:
            os._exit(answer)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code == 0:
        return None
    return paths[code - 1] if 0 < code <= len(paths) else paths[0]


def _available_capabilities() -> list[int]:
    """Capabilities that let one pass folders, the lesser first, of those this process has."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return []
    permitted = next(
        (int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapPrm:")), 0
    )
    return [cap for cap in (_CAP_DAC_READ_SEARCH, _CAP_DAC_OVERRIDE) if permitted >> cap & 1]


def _libc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def _wanted_access(path: Path) -> int:
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        return os.X_OK
    return os.R_OK | (os.X_OK if mode & 0o111 else 0)


def _keep_only(libc: ctypes.CDLL, capability: int) -> None:
    """Drop every capability but one, and hand that one on across exec."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    bit = 1 << capability
    # effective, permitted, inheritable of capabilities 0 to 31, then of 32 to 63
    data = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)
    _check(libc.capset(header, data))
    _prctl(libc, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability)


def _prctl(libc: ctypes.CDLL, option: int, first: int, second: int = 0) -> None:
    _check(libc.prctl(option, *(ctypes.c_ulong(argument) for argument in (first, second, 0, 0))))


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
