"""Fixtures for all tests: one real PostgreSQL a test process."""

import os
import shutil
import signal
import uuid
from collections.abc import Iterator

import pytest

from outreach_platform.embedded.server import EmbeddedServer
from outreach_platform.foundation import redaction
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform_tests.support import quick_sqlite
from outreach_platform_tests.support.postgres import (
    drop_database,
    fresh_database,
    start_server,
    stop_server,
)

# Files of few and long tests: begun last, they keep one core waiting for minutes.
LONG = (
    *("test_end_to_end", "test_demo", "test_serving", "test_events_interrupts", "test_kill"),
    *("test_enrichment_kill", "test_round_trip_model", "test_sensor", "test_browser"),
    *("test_deployment", "test_restore", "test_instance_postgres", "test_pages"),
)

# Files of many quick tests on databases and servers: too long together for the fast part.
CROWDED = (
    *("snapshots/test_pull", "foundation/test_scan", "foundation/test_audit"),
    *("foundation/objects/test_s3", "events/test_extract"),
    *(f"enrichment/test_{name}" for name in ("promotion", "settle", "pull", "pull_edits", "push")),
    *(f"filings/test_{name}" for name in ("health", "dedupe", "foreign")),
    *("enrichment/test_funnel", "operations/monitoring/test_failures"),
)

quick_sqlite.install()

# A shell that starts the suite in the background ignores SIGINT for all its children, and the
# commands that tests interrupt would never notice.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name bytes by their argument and place: two workers may pack or draw them differently."""
    return argname if isinstance(val, bytes) else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files, and leave the crowded ones out of the fast part."""
    items.sort(key=lambda item: item.path.stem not in LONG)
    for item in items:
        if str(item.path.with_suffix("")).endswith(CROWDED):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def forget_secrets() -> Iterator[None]:
    """A secret that one test registered is an ordinary word in the next one's messages."""
    known = set(redaction._secrets)
    yield
    redaction._secrets.intersection_update(known)


@pytest.fixture(autouse=True)
def restored_environment() -> Iterator[None]:
    """A command that runs inside a test sets variables for what it starts; the next sees none."""
    before = dict(os.environ)
    yield
    if dict(os.environ) != before:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(scope="session")
def pg_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """An embedded server without fsync, one for each worker of pytest-xdist."""
    folder = tmp_path_factory.mktemp("postgres")
    server = start_server(folder)
    yield server
    stop_server(server)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def neon_url(pg_server: EmbeddedServer) -> Iterator[DatabaseUrl]:
    """A fresh, empty database that is dropped afterwards."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    yield fresh_database(pg_server, name)
    drop_database(pg_server, name)
