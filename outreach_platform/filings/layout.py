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
