"""Where the events wing keeps its files."""

from pathlib import Path

from outreach_platform.events.records import ExportManifest
from outreach_platform.foundation.lake import find_record

TABLE = "behavioral_events"
STAMP = "%Y%m%d_%H%M%S"
EMBEDDED = "embedded"


class EventFolder:
    """The paths of the events wing.

    Args:
        data_dir: the data folder.
    """

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.lake = data_dir / "lake" / TABLE
        self.raw = data_dir / "raw"
        self.quarantine = data_dir / "quarantine"

    @property
    def lock(self) -> Path:
        """The lock of the wing: one run at a time."""
        return self.lake / ".lock"

    @property
    def extraction(self) -> Path:
        """The newest `Extraction`."""
        return self.lake / "extraction.json"

    @property
    def synced(self) -> Path:
        """The newest `SyncRecord`."""
        return self.lake / "synced.json"

    @property
    def spill(self) -> Path:
        """What exceeds the memory limit."""
        return self.lake / ".spill"

    def day(self, day: str) -> Path:
        """The validated events of a day."""
        return self.lake / f"date={day}" / "events.parquet"

    def manifest(self, day: str) -> Path:
        """The manifest of a day."""
        return self.lake / f"date={day}" / "manifest.json"

    def quarantined(self, day: str) -> Path:
        """The rows of a day that failed."""
        return self.quarantine / TABLE / f"date={day}.parquet"

    def error_report(self, stamp: str) -> Path:
        """What stopped a strict run."""
        return self.quarantine / f"{TABLE}_errors_{stamp}.csv"

    def export(self, stamp: str) -> Path:
        """An export."""
        return self.raw / f"{TABLE}_{stamp}.parquet"

    @property
    def latest(self) -> Path:
        """The link to the newest export of all users."""
        return self.raw / f"{TABLE}_latest.parquet"

    @property
    def manifests(self) -> Path:
        """Where the manifests of exports stand."""
        return self.raw / "manifests"

    def export_manifest(self, stamp: str) -> Path:
        """The manifest of an export."""
        return self.manifests / f"{TABLE}_{stamp}.json"

    def pruned(self, stamp: str) -> Path:
        """That the file of an export was removed on purpose; its manifest stays."""
        return self.manifests / "pruned" / f"{TABLE}_{stamp}.json"

    def newest(self) -> ExportManifest | None:
        """The export that `latest` leads to, None without one or where it cannot be read."""
        if not self.latest.is_symlink():
            return None
        stamp = self.latest.readlink().stem.removeprefix(f"{TABLE}_")
        return find_record(self.export_manifest(stamp), ExportManifest)

    def exports(self) -> list[ExportManifest]:
        """All exports whose manifest can be read and whose file stands, oldest first."""
        found = (
            find_record(path, ExportManifest)
            for path in sorted(self.manifests.glob(f"{TABLE}_*.json"))
        )
        return [m for m in found if m is not None and self.export(m.stamp).exists()]

    def standing_days(self) -> list[str]:
        """Days with a manifest, in order."""
        return sorted(
            path.parent.name.removeprefix("date=")
            for path in self.lake.glob("date=*/manifest.json")
        )
