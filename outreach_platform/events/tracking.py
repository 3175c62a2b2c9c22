"""Versions and runs of exports, where the extras `dvc` and `mlflow` are installed.

`track_with_dvc` keeps each exported file under its checksum, `log_to_mlflow` one run an export.
Importing this module needs neither package.
"""

from outreach_platform.events.trackers import (
    Tracker,
    TrackingError,
    available_trackers,
    require_tracker,
)
from outreach_platform.events.tracking_dvc import DvcRecord, track_with_dvc
from outreach_platform.events.tracking_mlflow import ExportFacts, MlflowRecord, log_to_mlflow

__all__ = [
    "DvcRecord",
    "ExportFacts",
    "MlflowRecord",
    "Tracker",
    "TrackingError",
    "available_trackers",
    "log_to_mlflow",
    "require_tracker",
    "track_with_dvc",
]
