"""West Virginia published twice, without a database server's help in each test."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from outreach_platform.foundation.objects.local import LocalStore
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.snapshots.layout import TABLES, StateFolder
from outreach_platform_tests.support.masters import create_masters
from outreach_platform_tests.support.snapshot_runs import fill, later, new_run, whole

BUCKET = "svg-enrichment"


@dataclass(frozen=True)
class TwoVersions:
    """A data folder with two published versions of West Virginia."""

    data_dir: Path
    old: str
    new: str

    @property
    def folder(self) -> StateFolder:
        """The state's paths."""
        return StateFolder(self.data_dir, "WV")

    @property
    def store(self) -> LocalStore:
        """The object store inside the data folder."""
        return LocalStore(self.data_dir / "objects", BUCKET)

    def copy(self, target: Path) -> "TwoVersions":
        """The same in a folder of its own; objects keep their times, exports are no hard links."""
        shutil.copytree(self.data_dir, target, dirs_exist_ok=True)
        return TwoVersions(target, self.old, self.new)

    def object(self, table: str, version: str | None = None) -> Path:
        """An object's file in the local store; `manifest` is a table, too."""
        version = version or self.new
        manifest = table == "manifest"
        key = (
            self.folder.manifest_key(version)
            if manifest
            else self.folder.object_key(version, table)
        )
        return self.data_dir / "objects" / BUCKET / key

    def content(self, version: str | None = None) -> dict[str, bytes]:
        """What stands under the five names of a version, the missing ones left out."""
        version = version or self.new
        paths = [self.folder.export(version, t) for t in TABLES] + [self.folder.manifest(version)]
        return {path.name: path.read_bytes() for path in paths if path.exists()}


def publish_twice(url: DatabaseUrl, data_dir: Path) -> TwoVersions:
    """Make the tables, fill them, and publish West Virginia twice."""
    create_masters(url)
    fill(url)
    runs = [new_run(url, data_dir, run_id=f"run-{n}", at=later(60 * n)) for n in range(2)]
    old, new = (whole(run).version for run in runs)
    return TwoVersions(data_dir, old, new)
