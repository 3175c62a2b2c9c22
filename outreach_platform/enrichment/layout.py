"""Where the enrichment wing keeps its files. Records themselves live in the two databases."""

from pathlib import Path

EMBEDDED = "embedded"


class EnrichmentFolder:
    """The paths of the enrichment wing.

    Args:
        data_dir: the data folder.
    """

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.root = data_dir / "enrichment"

    @property
    def lock(self) -> Path:
        """The lock of the wing: one run at a time on this host."""
        return self.data_dir / "locks" / "enrichment.lock"

    @property
    def funnel(self) -> Path:
        """The newest `FunnelRecord`."""
        return self.root / "funnel.json"

    def stage(self, run_id: str, stage: str, entity: str) -> Path:
        """What a stage of a run did."""
        return self.root / "runs" / run_id / f"{stage}_{entity}.json"

    def passed(self, run_id: str, entity: str) -> Path:
        """The ids of one entity that passed in a run."""
        return self.root / "runs" / run_id / f"passed_{entity}.txt"

    def chosen(self, name: str) -> Path:
        """The ids that a promotion was given."""
        return self.root / "chosen" / f"{name}.txt"
