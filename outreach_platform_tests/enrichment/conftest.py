"""Fixtures of the enrichment tests: two fresh databases a test, and runs on them."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from outreach_platform.embedded.server import EmbeddedServer
from outreach_platform.enrichment.run import EnrichmentRun
from outreach_platform.settings import load_settings
from outreach_platform_tests.support.enrichment import Databases, copied, make_templates, prepare
from outreach_platform_tests.support.enrichment_pool import Pool

NewRun = Callable[..., EnrichmentRun]


@pytest.fixture(scope="session")
def bare_templates(pg_server: EmbeddedServer) -> tuple[str, str]:
    """Databases to copy, as they are before this platform comes."""
    return make_templates(pg_server, "enrichment_bare")


@pytest.fixture(scope="session")
def templates(pg_server: EmbeddedServer) -> tuple[str, str]:
    """Databases to copy, with all that the wing adds to them, and no rows."""
    names = make_templates(pg_server, "enrichment_ready")
    prepare(Databases(pg_server.url(names[0]), pg_server.url(names[1])))
    return names


@pytest.fixture
def bare_databases(
    pg_server: EmbeddedServer, bare_templates: tuple[str, str]
) -> Iterator[Databases]:
    """Two fresh databases with the tables of `embedded/schema`, and nothing of ours."""
    with copied(pg_server, bare_templates) as databases:
        yield databases


@pytest.fixture(scope="session")
def database_pool(pg_server: EmbeddedServer, templates: tuple[str, str]) -> Iterator[Pool]:
    """The databases that the tests of one process use in turn."""
    pool = Pool(pg_server, templates)
    yield pool
    pool.close()


@pytest.fixture
def databases(database_pool: Pool) -> Iterator[Databases]:
    """Two databases that the wing has prepared; no rows. A test may alter them as it likes."""
    with database_pool.lend() as databases:
        yield databases


@pytest.fixture
def new_run(tmp_path: Path) -> Iterator[Callable[..., EnrichmentRun]]:
    """Makes runs on given databases; they are closed at the end of the test."""
    runs: list[EnrichmentRun] = []

    def make(on: Databases, **options: Any) -> EnrichmentRun:
        settings = load_settings(data_dir=tmp_path / "data")
        options = {"run_id": str(uuid.uuid4()), **options}
        runs.append(EnrichmentRun(settings, on.neon, on.workspace, **options))
        return runs[-1]

    yield make
    for run in runs:
        run.close()


@pytest.fixture
def enrichment(databases: Databases, new_run: NewRun) -> Callable[..., EnrichmentRun]:
    """Makes runs on `databases`; options are those of EnrichmentRun (batch_size, dry_run, …)."""
    return lambda **options: new_run(databases, **options)
