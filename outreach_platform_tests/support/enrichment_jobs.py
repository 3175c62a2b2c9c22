"""The enrichment wing as UI, schedule, sensor and terminal run it: its jobs on a real instance."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import dagster as dg
import pytest

from outreach_platform.enrichment.entities import ENTITIES
from outreach_platform.enrichment.layout import EnrichmentFolder
from outreach_platform.enrichment.run import EnrichmentRun
from outreach_platform.settings import load_settings
from outreach_platform_tests.support.enrichment import Databases
from outreach_platform_tests.support.product import Product, url_text

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
PULL, PROMOTION = "enrichment_pull_job", "promotion_job"


def addresses(databases: Databases) -> dict[str, str]:
    """The environment that names both databases."""
    return {
        "NEON_DATABASE_URL": url_text(databases.neon),
        "SUPABASE_DATABASE_URL": url_text(databases.workspace),
    }


@dataclass
class Wing:
    """One product with its open instance, on two databases of a test."""

    product: Product
    instance: dg.DagsterInstance
    databases: Databases

    @property
    def folder(self) -> EnrichmentFolder:
        return EnrichmentFolder(self.product.data)

    def prepare(self) -> None:
        """Bring what is invalid into the workspace, without a job around it."""
        run = EnrichmentRun(load_settings(), self.databases.neon, self.databases.workspace, "pull")
        for entity in ENTITIES:
            run.pull(entity)
        run.close()

    def pull(self, **options: Any) -> dg.ExecuteInProcessResult:
        """Run `enrichment_pull_job`."""
        return self.run(PULL, **options)

    def promotion(self, **options: Any) -> dg.ExecuteInProcessResult:
        """Run `promotion_job`: push, revalidate, promote."""
        return self.run(PROMOTION, **options)

    def run(
        self,
        job: str | None = None,
        *,
        assets: Sequence[str] = (),
        config: Mapping[str, Mapping[str, Any]] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> dg.ExecuteInProcessResult:
        """Run a job, or, as the UI does for chosen assets, these of them, in this process.

        Args:
            job: its name; None for the job that the UI makes of chosen assets.
            assets: names; none for the whole job.
            config: of each asset by name.
            tags: more tags for the run.
        """
        from outreach_platform.definitions import defs

        found = defs.resolve_job_def(job) if job else defs.resolve_implicit_global_asset_job_def()
        ops = {f"enrichment__{name}": {"config": dict(c)} for name, c in (config or {}).items()}
        return found.execute_in_process(
            instance=self.instance,
            asset_selection=[asset(name) for name in assets] or None,
            run_config={**QUIET, "ops": ops},
            tags=dict(tags or {}),
            raise_on_error=False,
        )

    def warnings(self, result: dg.ExecuteInProcessResult) -> list[str]:
        """The warnings that we wrote into a run's log."""
        return [
            entry.user_message
            for entry in self.instance.all_logs(result.run_id)
            if int(entry.level) >= logging.WARNING and entry.dagster_event is None
        ]


@contextmanager
def opened(product: Product) -> Iterator[tuple[Product, dg.DagsterInstance]]:
    """A product with its instance, for the tests of a file."""
    with product.here() as instance:
        yield product, instance


def placed(
    opened: tuple[Product, dg.DagsterInstance], databases: Databases, patch: pytest.MonkeyPatch
) -> Wing:
    """The product of a file on the databases of one of its tests."""
    product, instance = opened
    for name, value in addresses(databases).items():
        patch.setenv(name, value)
    return Wing(product, instance, databases)


def asset(name: str) -> dg.AssetKey:
    """The key of an asset of the wing."""
    return dg.AssetKey(["enrichment", name])


def checks(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    """The evaluations of a run's checks by asset and name."""
    return {
        f"{each.asset_key.path[-1]}.{each.check_name}": each
        for each in result.get_asset_check_evaluations()
    }


def verdicts(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    """Whether each check passed."""
    return {name: each.passed for name, each in checks(result).items()}


def metadata(result: dg.ExecuteInProcessResult, name: str) -> dict[str, Any]:
    """The metadata values of an asset that a run materialized."""
    (found,) = result.asset_materializations_for_node(f"enrichment__{name}")
    return {key: value.value for key, value in found.metadata.items()}


def steps(result: dg.ExecuteInProcessResult) -> list[str]:
    """The assets whose steps began, in their order."""
    started = [event.step_key for event in result.all_events if event.is_step_start]
    return [(step or "").removeprefix("enrichment__") for step in started]
