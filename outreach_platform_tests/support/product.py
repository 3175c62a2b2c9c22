"""The product as a user meets it: its command line in real processes, and its jobs in this one.

Data folder, database and object store come by environment variables, as they do for users.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import dagster as dg
import pytest

from outreach_platform import cli
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.operations.instance import open_instance
from outreach_platform.partitions import partition_key
from outreach_platform.snapshots.layout import StateFolder
from outreach_platform_tests.support.masters import (
    COMPANIES,
    PEOPLE,
    company,
    insert,
    person,
)
from outreach_platform_tests.support.postgres import ROOT, fetch

_WITHOUT_TRACKERS = Path(__file__).with_name("without_trackers.toml")
_OURS = (
    "ALERT_",
    "AWS_",
    "B2_",
    "S3_",
    "NEON_",
    "SUPABASE_",
    "OUTREACH_",
    "DAGSTER_",
    "DATABASE_",
    "MLFLOW_",
    "N8N_",
    "SEC_",
    "SLACK_",
)


def url_text(url: DatabaseUrl) -> str:
    """A `postgresql://` URL of an address, as users write it."""
    parts = {key: quote(value, safe="") for key, value in url.params.items()}
    login = parts["user"] + (f":{parts['password']}" if "password" in parts else "")
    host = parts["host"]
    if host.startswith("%2F"):
        return f"postgresql://{login}@/{parts['dbname']}?host={host}&port={parts['port']}"
    return f"postgresql://{login}@{host}:{parts['port']}/{parts['dbname']}"


def without_configuration() -> dict[str, str]:
    """This process's environment without anything that configures the product."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_OURS) and name not in ("LOG_LEVEL", "DUCKDB_DB_PATH", "COLUMNS")
    }


@dataclass
class Finished:
    """What a command left in the terminal."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows of `--json`, which is all that may stand on stdout."""
        found = json.loads(self.out)
        assert list(found) == ["results"]
        return found["results"]

    @property
    def row(self) -> dict[str, Any]:
        """The only row."""
        (row,) = self.rows
        return row


@dataclass
class Product:
    """The product on one data folder.

    Attributes:
        home: the folder in which commands are run; data stand in `data` below it.
        environment: the configuration.
        trackers: whether exports go to DVC and MLflow.
    """

    home: Path
    environment: dict[str, str] = field(default_factory=dict)
    trackers: bool = False

    @property
    def data(self) -> Path:
        return self.home / "data"

    def variables(self, **more: str) -> dict[str, str]:
        return {**without_configuration(), "PYTHONPATH": str(ROOT), **self._chosen(), **more}

    def _chosen(self) -> dict[str, str]:
        chosen = {"OUTREACH_DATA_DIR": str(self.data)}
        if not self.trackers:
            chosen["OUTREACH_SETTINGS"] = str(_WITHOUT_TRACKERS)
        return {**chosen, **self.environment}

    def start(self, *arguments: str, **more: str) -> subprocess.Popen[str]:
        """The command line in a process of its own, in a process group of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "outreach_platform", *arguments],
            cwd=self.home,
            env=self.variables(**more),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def __call__(self, *arguments: str, **more: str) -> Finished:
        """Run a command to its end; keyword arguments are environment variables."""
        with self.start(*arguments, **more) as process:
            try:
                out, err = process.communicate(timeout=240)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        return Finished(process.returncode, out, err)

    def folder(self, state: str) -> StateFolder:
        """The paths of a state."""
        return StateFolder(self.data, state)

    @contextmanager
    def here(self) -> Iterator[dg.DagsterInstance]:
        """Configure this process like the product's, and open the product's instance."""
        with pytest.MonkeyPatch.context() as patch:
            for name in set(os.environ) - set(without_configuration()):
                patch.delenv(name)
            patch.setenv("DAGSTER_HOME", "")
            patch.setenv("OUTREACH_CHOSEN_DAGSTER_HOME", "")
            for name, value in self._chosen().items():
                patch.setenv(name, value)
            with open_instance(self.data) as instance:
                yield instance


class Inside:
    """The command line inside this process, for what needs no process of its own."""

    def __init__(self, product: Product, capsys: pytest.CaptureFixture[str]) -> None:
        self.product, self.capsys = product, capsys

    def __call__(self, *arguments: str, **more: str) -> Finished:
        with self.product.here(), pytest.MonkeyPatch.context() as patch:
            for name, value in more.items():
                patch.setenv(name, value)
            patch.chdir(self.product.home)
            code = cli.run(arguments)
        return Finished(code, *self.capsys.readouterr())


def today() -> date:
    """The UTC day, as partitions count."""
    return datetime.now(UTC).date()


def run_state(
    instance: dg.DagsterInstance,
    state: str,
    day: date | None = None,
    *,
    defs: dg.Definitions | None = None,
    assets: list[dg.AssetKey] | None = None,
    without_checks: bool = False,
    tags: Mapping[str, str] | None = None,
) -> dg.ExecuteInProcessResult:
    """Run `snapshot_job`, or some of its assets, for one day and state in this process."""
    if defs is None:
        from outreach_platform.definitions import defs
    options: dict[str, Any] = {
        "instance": instance,
        "partition_key": partition_key(day or today(), state),
        "run_config": {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        "raise_on_error": False,
        "tags": dict(tags or {}),
    }
    if without_checks:
        selection = dg.AssetSelection.assets(*(assets or [])).without_checks()
        job = dg.define_asset_job("chosen", selection=selection)
        chosen = dg.Definitions(
            assets=defs.assets,
            asset_checks=defs.asset_checks,
            jobs=[job],
            resources=defs.resources,
            executor=dg.in_process_executor,
        )
        return chosen.resolve_job_def("chosen").execute_in_process(**options)
    job = defs.resolve_job_def("snapshot_job")
    return job.execute_in_process(asset_selection=assets, **options)


def run_events(
    instance: dg.DagsterInstance,
    assets: Sequence[str] = (),
    *,
    config: Mapping[str, Mapping[str, Any]] | None = None,
    partition: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> dg.ExecuteInProcessResult:
    """Run `events_job`, or, as the UI does for chosen assets, these of them, in this process.

    Args:
        instance: where the run is recorded.
        assets: names; none for the whole job.
        config: of each asset by name.
        partition: a day.
        tags: more tags, such as those of a range of days.
    """
    from outreach_platform.definitions import defs

    whole = defs.resolve_job_def("events_job")
    job = defs.resolve_implicit_global_asset_job_def() if assets else whole
    return job.execute_in_process(
        instance=instance,
        asset_selection=[dg.AssetKey(["events", name]) for name in assets] or None,
        partition_key=partition,
        run_config={
            "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
            "ops": {f"events__{name}": {"config": dict(c)} for name, c in (config or {}).items()},
        },
        tags=dict(tags or {}),
        raise_on_error=False,
    )


def asset(name: str) -> dg.AssetKey:
    """An asset of the wing."""
    return dg.AssetKey(["outreach", name])


def materialized(result: dg.ExecuteInProcessResult) -> set[str]:
    """Names of the assets that a run materialized."""
    return {event.asset_key.path[-1] for event in result.get_asset_materialization_events()}


def failures(result: dg.ExecuteInProcessResult) -> str:
    """What the failed steps of a run say."""
    said = []
    for event in result.all_events:
        if event.is_step_failure:
            data = event.step_failure_data
            if data.user_failure_data:
                said.append(data.user_failure_data.description or "")
            elif data.error:
                said.append(data.error.message)
    return "\n".join(said)


def audit_rows(url: DatabaseUrl, state: str) -> list[dict[str, Any]]:
    """The details of a state's audit rows, oldest first."""
    if fetch(url, "SELECT to_regclass('shq.audit_log')") == [(None,)]:
        return []
    rows = fetch(url, "SELECT event_type, details FROM shq.audit_log ORDER BY id")
    return [{"event_type": kind, **d} for kind, d in rows if d["state"] == state]


def fill_state(
    url: DatabaseUrl, state: str, good: int = 10, bad: int = 0, **of_company: Any
) -> None:
    """Companies of a state, one person each; the bad ones have no website."""
    here = {"address_state": state, "state_abbrev": state, **of_company}
    companies = [
        *(company(**here) for _ in range(good)),
        *(company(**here, website_url=None) for _ in range(bad)),
    ]
    insert(url, COMPANIES, companies)
    insert(url, PEOPLE, [person(company_unique_id=c["company_unique_id"]) for c in companies])


def published_nowhere(product: Product, state: str) -> bool:
    """Nothing of a state is exported, uploaded or recorded."""
    exports = product.folder(state).exports
    files = [p for p in exports.rglob("*") if p.is_file() and p.parent.name != "verdicts"]
    objects = list((product.data / "objects").rglob(f"*/{state}/**/*.parquet"))
    return not files and not objects and not product.folder(state).published_versions()


def find_bytes(folder: Path, canary: str) -> list[str]:
    """Files below a folder that hold a text, whatever kind of file it is."""
    sought = canary.encode()
    return [
        str(path.relative_to(folder))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and sought in path.read_bytes()
    ]
