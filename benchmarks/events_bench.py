"""Our way from the source of events to the research database, as the benchmarks run it."""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks.bulk_events import BulkEvents
from outreach_platform.events.records import Window
from outreach_platform.events.run import EventsRun
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.settings import load_settings

DAYS = 90
Form = Literal["view", "table"]
FORMS: tuple[Form, ...] = ("view", "table")


@dataclass(frozen=True)
class Bench:
    """One source and the scratch beside it."""

    url: DatabaseUrl
    folder: Path
    held: BulkEvents

    def events(
        self, data_dir: Path, *, form: Form | None, full: bool = True, days: int = DAYS
    ) -> int:
        """Extract strictly and export, then sync the siblings too unless `form` is None.

        Args:
            data_dir: a data folder; kept.
            form: of the research database.
            full: pull every day, or only those that are new or recent.
            days: of the window, which ends with the last day of the source.

        Returns:
            Rows of the export.

        Raises:
            RuntimeError: something went wrong that a run only warns of.
        """
        settings = load_settings().model_copy(update={"data_dir": data_dir, "duckdb_db_path": None})
        step = EventsRun(settings=settings, url=self.url, run_id="benchmark", now=self.held.now)
        window = Window.ending(self.held.now, days=days)
        step.extract(window, mode="strict", full=full)
        if form is not None:
            step.siblings()
        rows = step.export(window).file.rows
        if form is not None and (problem := step.sync(form=form).problem):
            raise RuntimeError(f"the sync failed, the benchmark means nothing: {problem}")
        return rows

    def once(self, *, form: Form | None, days: int = DAYS) -> None:
        """The same in a folder that was not there before and is gone afterwards."""
        data_dir = Path(tempfile.mkdtemp(dir=self.folder))
        self.events(data_dir, form=form, days=days)
        shutil.rmtree(data_dir)
