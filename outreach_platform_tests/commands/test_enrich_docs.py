"""docs/enrichment.md: every command is explained, and the privileges it names are enough."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from outreach_platform.cli import cli
from outreach_platform.embedded.server import EmbeddedServer
from outreach_platform.foundation import audit
from outreach_platform.foundation.postgres.connection import connect
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform_tests.support.enrichment import (
    Databases,
    copied,
    invalid_person,
    make_templates,
    prepare,
)
from outreach_platform_tests.support.enrichment_jobs import addresses
from outreach_platform_tests.support.postgres import ROOT, execute
from outreach_platform_tests.support.product import Inside, Product

PAGE = (ROOT / "docs" / "enrichment.md").read_text(encoding="utf-8")


def test_every_command_of_the_wing_is_explained() -> None:
    group = cli.get_command(click.Context(cli), "enrich")
    assert isinstance(group, click.Group)
    for name in group.list_commands(click.Context(group)):
        assert f"`outreach enrich {name}" in PAGE


@pytest.fixture
def limited(pg_server: EmbeddedServer) -> Iterator[tuple[Databases, Databases]]:
    """Prepared databases as their owner uses them, and as a user with the page's privileges."""
    with copied(pg_server, make_templates(pg_server, "enrich_docs")) as owned:
        prepare(owned)
        with connect(owned.neon) as connection:
            audit.ensure_table(connection)
        execute(owned.neon, "CREATE ROLE platform LOGIN")
        yield (
            owned,
            Databases(
                *(
                    DatabaseUrl({**url.params, "user": "platform"})
                    for url in (owned.neon, owned.workspace)
                )
            ),
        )
        for url in (owned.neon, owned.workspace):
            execute(url, "DROP OWNED BY platform")
    execute(pg_server.url("postgres"), "DROP ROLE platform")


@pytest.mark.slow
def test_the_privileges_of_the_page_are_enough(
    limited: tuple[Databases, Databases], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    owned, theirs = limited
    inside = Inside(Product(tmp_path, addresses(theirs)), capsys)
    keys = owned.add_companies(2)
    keys += owned.add_invalid(invalid_person(company_unique_id=keys[0]))
    without = inside("enrich", "pull")
    assert without.code == 1
    assert "the user lacks a privilege" in without.out + without.err
    block = re.findall(r"```sql\n-- on Neon(.*?)```", PAGE, re.DOTALL)[0]
    on_neon, on_workspace = block.split("-- on the workspace")
    execute(owned.neon, on_neon)
    execute(owned.workspace, on_workspace)
    assert inside("enrich", "run").code == 0
    owned.complete(*keys[:2], website="https://good.org")
    assert inside("enrich", "run").code == 0
    owned.complete(keys[2], email="adela@good.org")
    done = inside("enrich", "run", "--json")
    assert done.code == 0
    assert all(owned.master(key) for key in keys)
    undone = inside("enrich", "undo", done.rows[-1]["run_id"], "--json")
    assert undone.code == 0
    assert owned.master(keys[2]) is None
    assert inside("enrich", "export", "open.csv").code == 0
    assert inside("enrich", "import", "open.csv").code == 0
