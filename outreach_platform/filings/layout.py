"""Where the filings wing keeps its files."""

from pathlib import Path


class FilingFolder:
    """The paths of the filings wing.

    Args:
        data_dir: the data folder.
    """

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.raw = data_dir / "filings"

    @property
    def published(self) -> Path:
        """The database that people open: a copy, renamed over."""
        return self.data_dir / "duckdb" / "filings.duckdb"

    @property
    def work(self) -> Path:
        """What belongs to the wing alone."""
        return self.data_dir / "lake" / "filings"

    @property
    def writer(self) -> Path:
        """The database that runs write; nobody else opens it."""
        return self.work / "writer.duckdb"

    @property
    def lock(self) -> Path:
        """The lock of the wing: one writer at a time."""
        return self.work / ".lock"

    @property
    def spill(self) -> Path:
        """What exceeds the memory limit."""
        return self.work / ".spill"

    @property
    def staging(self) -> Path:
        """Staged rows, by run and filing."""
        return self.work / "staging"

    @property
    def backups(self) -> Path:
        """Copies of the database from before a clean-up."""
        return self.work / "backups"

    def staged(self, run_id: str, accession: str) -> Path:
        """The folder of one filing's staged rows in a run."""
        return self.staging / run_id / accession

    @property
    def runs(self) -> Path:
        """What runs did, by run."""
        return self.work / "runs"

    def registration(self, run_id: str) -> Path:
        """The `RegisterRecord` of a run."""
        return self.runs / f"{run_id}.registration.json"

    def extraction(self, run_id: str) -> Path:
        """The `ExtractionRecord` of a run."""
        return self.runs / f"{run_id}.extraction.json"

    def merge(self, run_id: str) -> Path:
        """The `MergeRecord` of a run."""
        return self.runs / f"{run_id}.merge.json"

    def maintenance(self, run_id: str) -> Path:
        """The `MaintenanceRecord` of a run."""
        return self.runs / f"{run_id}.maintenance.json"

    @property
    def newest_extraction(self) -> Path:
        """The newest `ExtractionRecord`."""
        return self.work / "extraction.json"
