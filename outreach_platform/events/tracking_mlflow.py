"""One MLflow run an export, in a local SQLite store unless a tracking URI says otherwise.

`mlflow ui --backend-store-uri sqlite:///data/mlflow/mlflow.db` shows them; the pages belong to the
full `mlflow`, which wants an environment of its own.
"""

import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from pydantic import Field

from outreach_platform.events.trackers import TrackingError, load, one_sentence, require_tracker
from outreach_platform.foundation.lake import Record
from outreach_platform.foundation.locks import locked
from outreach_platform.foundation.redaction import redact, register_secret

EXPERIMENT = "behavioral_events"
ARTIFACTS = "datasets"
_WAIT_SECONDS = 120
_DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
# MLflow reports home and waits for minutes on a server that is away, unless it is told otherwise
# before it is imported. Who set these names means it.
_MANNERS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}


class ExportFacts(Record):
    """What one export did; no row and no id of a person.

    Attributes:
        stamp: the export's `YYYYMMDD_HHMMSS`, which names it and its run.
        run_id: the platform's run.
        finished_at: aware.
        duration_seconds: of the whole export.
        rows: in the file.
        size: of the file, bytes.
        sha256: of the file, hex; None when there is none.
        window_start: first instant of the window, UTC.
        window_end: last instant of the window, UTC.
        user_filtered: whether it was restricted to one user.
        validation_mode: strict, non_strict or none.
        validation_passed: None where nothing was validated.
        rules_version: of the rules.
        success: False for an export that failed.
        manifest: the export's manifest, kept with the run unless it was restricted to one user,
            whose id the manifest may name.
    """

    stamp: str = Field(pattern=r"^[\w.-]+$")
    run_id: str
    finished_at: datetime
    duration_seconds: float
    rows: int
    size: int
    sha256: str | None
    window_start: datetime
    window_end: datetime
    user_filtered: bool
    validation_mode: str
    validation_passed: bool | None
    rules_version: str
    success: bool = True
    manifest: Path | None = None


class MlflowRecord(Record):
    """One export's run in MLflow.

    Attributes:
        tracking_uri: the store, without secrets.
        experiment_id: MLflow's.
        mlflow_run_id: MLflow's.
        created: False when an earlier call had logged this export.
    """

    tracking_uri: str
    experiment_id: str
    mlflow_run_id: str
    created: bool


def log_to_mlflow(
    data_dir: Path, facts: ExportFacts, *, tracking_uri: str | None = None
) -> MlflowRecord:
    """Log an export as a run; the same export again changes nothing.

    The manifest is kept with the run, the rows are not: they may be gigabytes, hold personal data,
    and are found by the checksum that the run names.

    Args:
        data_dir: the data folder.
        facts: what happened.
        tracking_uri: as MLFLOW_TRACKING_URI; None for `mlflow/mlflow.db` in the data folder.

    Raises:
        UsageError: MLflow is not installed.
        TrackingError: anything else.
    """
    require_tracker("mlflow")
    folder = data_dir.resolve() / "mlflow"
    uri = tracking_uri or f"sqlite:///{folder / 'mlflow.db'}"
    with one_sentence("mlflow"):
        _remember_password(uri)
        lock = data_dir.resolve() / "locks" / "mlflow.lock"
        with locked(lock, "The MLflow store", f"logging of {facts.stamp}", _WAIT_SECONDS):
            folder.mkdir(parents=True, exist_ok=True)
            _ask_once(uri)
            client = _client(uri)
            experiment = _experiment(client, uri, folder / "artifacts")
            run_id = _finished(client, experiment, facts)
            created = run_id is None
            if run_id is None:
                run_id = _log(client, experiment, facts)
            return MlflowRecord(
                tracking_uri=redact(uri),
                experiment_id=experiment,
                mlflow_run_id=run_id,
                created=created,
            )


def _remember_password(uri: str) -> None:
    """Keep the URI's password out of every message, quoted or not."""
    password = urlsplit(uri).password
    register_secret(password)
    register_secret(unquote(password) if password else None)


def _is_database(uri: str) -> bool:
    return urlsplit(uri).scheme.partition("+")[0] in _DATABASES


def _ask_once(uri: str) -> None:
    """Fail at once where a database is away or damaged: MLflow itself would try for 100 s."""
    if not _is_database(uri):
        return
    sqlalchemy = load("sqlalchemy")
    engine = sqlalchemy.create_engine(uri, poolclass=load("sqlalchemy.pool").NullPool)
    try:
        sqlalchemy.inspect(engine).get_table_names()
    finally:
        engine.dispose()


def _client(uri: str) -> Any:
    """A client of that one store: the module's own functions look at git, user and folder."""
    for name, value in _MANNERS.items():
        os.environ.setdefault(name, value)
    # Both, or the registry's address is taken from elsewhere.
    return load("mlflow").MlflowClient(tracking_uri=uri, registry_uri=uri)


def _experiment(client: Any, uri: str, artifacts: Path) -> str:
    """The experiment's id; it is made where it is missing.

    A server keeps artifacts itself. Where the client writes them, MLflow would put them into
    `./mlruns` of whatever folder the command was started in.
    """
    found = client.get_experiment_by_name(EXPERIMENT)
    if found is None:
        location = artifacts.as_uri() if _is_database(uri) else None
        return client.create_experiment(EXPERIMENT, artifact_location=location)
    if found.lifecycle_stage != "active":
        raise TrackingError(
            f"MLflow's experiment {EXPERIMENT} is deleted; restore it, or remove it for good, and "
            "run the export again"
        )
    return found.experiment_id


def _name(facts: ExportFacts) -> str:
    return f"behavioral_events_{facts.stamp}"


def _finished(client: Any, experiment: str, facts: ExportFacts) -> str | None:
    """The run that has logged this export; what an interrupted or failed one left is deleted."""
    runs = client.search_runs([experiment], filter_string=f"tags.export = '{_name(facts)}'")
    done = [run.info.run_id for run in runs if run.info.status == "FINISHED"]
    for run in runs:
        if run.info.status != "FINISHED":
            client.delete_run(run.info.run_id)
    return done[0] if done else None


def _log(client: Any, experiment: str, facts: ExportFacts) -> str:
    """Write the run; only a complete one ends as FINISHED."""
    entities = load("mlflow.entities")
    ended = _milliseconds(facts.finished_at)
    started = _milliseconds(facts.finished_at - timedelta(seconds=facts.duration_seconds))
    tags = {"export": _name(facts), "run_id": facts.run_id, "data_sha256": facts.sha256 or ""}
    run_id = client.create_run(
        experiment, start_time=started, run_name=_name(facts), tags=tags
    ).info.run_id
    client.log_batch(
        run_id,
        metrics=[entities.Metric(k, v, ended, 0) for k, v in _metrics(facts).items()],
        params=[entities.Param(k, v) for k, v in _params(facts).items()],
    )
    if facts.manifest is not None and not facts.user_filtered:
        client.log_artifact(run_id, str(facts.manifest), ARTIFACTS)
    client.set_terminated(run_id, "FINISHED" if facts.success else "FAILED", end_time=ended)
    return run_id


def _metrics(facts: ExportFacts) -> dict[str, float]:
    """The names that dashboards know; `dataset_size` in bytes."""
    metrics = {
        "export_success": float(facts.success),
        "export_rows": float(facts.rows),
        "export_duration_seconds": facts.duration_seconds,
        "dataset_size": float(facts.size),
    }
    if facts.validation_passed is not None:
        metrics["validation_passed"] = float(facts.validation_passed)
    return metrics


def _params(facts: ExportFacts) -> dict[str, str]:
    return {
        "window_start": facts.window_start.isoformat(),
        "window_end": facts.window_end.isoformat(),
        "user_filter": "one user" if facts.user_filtered else "none",
        "validation_mode": facts.validation_mode,
        "rules_version": facts.rules_version,
        "data_sha256": facts.sha256 or "",
        "run_id": facts.run_id,
    }


def _milliseconds(instant: datetime) -> int:
    return int(instant.timestamp() * 1000)
