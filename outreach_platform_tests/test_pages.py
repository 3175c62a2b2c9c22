"""The papers: every code block is run, parsed, tried elsewhere, or listed with the reason.

What needs rows runs on the sample, loaded once: one state's snapshot, the events, the analyses.
"""

import configparser
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import duckdb
import pytest

from outreach_platform.embedded.sample.load import load_sample
from outreach_platform.embedded.server import EmbeddedServer
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.settings_toml import load_toml
from outreach_platform.snapshots.layout import StateFolder
from outreach_platform_tests.support.pages import (
    Block,
    all_blocks,
    blocks_of,
    make_targets,
    mentions,
    pages,
    parse,
    parse_make,
    parse_mention,
)
from outreach_platform_tests.support.postgres import ROOT, drop_database, fetch, fresh_database
from outreach_platform_tests.support.product import Product, url_text

# Blocks that a test of their own tries on their own data: page, what the block holds, where.
ELSEWHERE = {
    ("docs/enrichment.md", "sql", "GRANT USAGE ON SCHEMA"): "commands/test_enrich_docs.py",
    ("docs/filings.md", "sql", "FROM sections s JOIN filings"): "commands/test_filings_command.py",
    ("docs/filings.md", "sql", "FROM chunks c JOIN sections"): "commands/test_filings_command.py",
}
# Lines of terminal blocks that are not ours to run, by their first words, with the reason.
FOREIGN = {
    "duckdb -readonly": "the DuckDB shell is no part of the installation; the file is opened here",
    ".venv/bin/pip install": "would change the installation; the extras are checked below",
    "useradd": "changes the machine",
    "install -": "changes the machine; its source files are checked below",
    "systemctl": "needs systemd as the first process",
    "systemd-run": "needs systemd; its command is parsed below",
    "cp .env.example": "the source is checked below",
    "docker compose": "needs Docker; the file is read by test_deployment.py",
    'psql "$OWNER_URL"': "the files are executed by test_deployment.py",
}
# Terminal blocks that show no command, by a piece of their text.
PICTURES = {
    "README.md": "companies good   companies bad",
    "docs/enrichment.md": "── pull ──▶",
    "docs/events.md": "behavioral_events_latest.parquet               a link",
    "docs/architecture.md": "front door: one graph, one command",
}
WALKS = {"docs/architecture.md": "Neon masters ──▶ raw"}
# Files that the operator makes; they are never committed.
OPERATORS = ("deploy/.env", "deploy/outreach.env")
EXTRAS = ("dvc", "mlflow")

BLOCKS = all_blocks()
SQL = [block for block in BLOCKS if block.kind == "sql"]


def is_elsewhere(block: Block) -> bool:
    return any(
        (block.page, block.kind) == (page, kind) and piece in block.text
        for page, kind, piece in ELSEWHERE
    )


def is_picture(block: Block) -> bool:
    pieces = [known[block.page] for known in (PICTURES, WALKS) if block.page in known]
    return any(piece in block.text for piece in pieces)


def check_terminal(block: Block) -> None:
    """Refuse a block with a line that is neither a known command nor listed."""
    joined = re.sub(r"\\\n\s*", "", block.text)
    for typed in filter(None, map(str.strip, joined.splitlines())):
        line = re.sub(r"^(?:[A-Z_]+=\S+ )+", "", typed)  # variables of this one command
        if line.startswith("outreach "):
            parse(line)
        elif line.startswith("make "):
            parse_make(line)
        elif not line.startswith(tuple(FOREIGN)):
            raise click.UsageError(f"{block}: nobody looks at {line!r}")


@pytest.mark.parametrize(
    "block", [b for b in BLOCKS if b.kind in ("", "bash", "sh", "console")], ids=str
)
def test_terminal_blocks_hold_commands_that_exist(block: Block) -> None:
    if not is_picture(block):
        check_terminal(block)


@pytest.mark.parametrize(
    "text",
    [
        "outreach snapshoot --state WV",
        "outreach snapshot --sate WV",
        "outreach enrich export open.csv --dry-run",
        "outreach up --port none",
        "make instal",
        "rm -rf data",
    ],
)
def test_a_command_that_is_none_is_found(text: str) -> None:
    (block,) = blocks_of(f"# A page\n\n```\n{text}\n```\n", "page.md")
    with pytest.raises(click.UsageError):
        check_terminal(block)


@pytest.mark.parametrize("page", [*pages(), ROOT / "CHANGELOG.md"], ids=lambda page: page.name)
def test_commands_in_sentences_and_tables_exist(page: Path) -> None:
    for mention in mentions(page.read_text(encoding="utf-8")):
        parse_mention(mention)


@pytest.mark.parametrize("text", ["outreach restor", "outreach up [--prot N]", "outreach enrich x"])
def test_a_mentioned_command_that_is_none_is_found(text: str) -> None:
    (mention,) = mentions(f"| `{text}` | does |\n")
    with pytest.raises(click.UsageError):
        parse_mention(mention)


def test_blocks_are_found_wherever_they_stand() -> None:
    text = (
        "1. a list\n\n   ```sql\n   SELECT 1\n   ```\n\n> ~~~toml\n> a = 1\n> ~~~\n\n    make run\n"
    )
    assert [block.kind for block in blocks_of(text, "page.md")] == ["sql", "toml", ""]


def test_no_block_is_left_unread() -> None:
    kinds = {"", "bash", "sh", "console", "sql", "toml", "python", "ini"}
    assert not [str(block) for block in BLOCKS if block.kind not in kinds]
    for page, kind, piece in ELSEWHERE:
        assert any(b.page == page and b.kind == kind and piece in b.text for b in BLOCKS), piece
        assert (ROOT / "outreach_platform_tests" / ELSEWHERE[page, kind, piece]).is_file()
    for known in (PICTURES, WALKS):
        for page, piece in known.items():
            assert any(b.page == page and piece in b.text for b in BLOCKS), piece


def test_what_a_page_names_in_passing_exists() -> None:
    """Commands and files between backquotes, and links."""
    for path in pages():
        text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        for target in re.findall(r"`make ([a-z-]+)", text):
            assert target in make_targets(), f"{path.name}: make {target}"
        for link in re.findall(r"\]\(([^)#]+)\)", text):
            assert link.startswith("https://") or (path.parent / link).exists(), f"{path}: {link}"
        for file in re.findall(
            r"`((?:deploy|outreach_platform|outreach_platform_tests)/[\w./]+)`", text
        ):
            if "NAME" not in file and file not in OPERATORS:
                assert (ROOT / file).exists(), f"{path.name}: {file}"


def test_what_foreign_lines_take_from_the_checkout_exists() -> None:
    text = "\n".join(block.text for block in BLOCKS)
    for name in re.findall(r"(?<![\w/])(?:deploy/[\w.]+|\.env\.example)", text):
        if name not in OPERATORS:
            assert (ROOT / name).is_file(), name
    for extra in re.findall(r"outreach-platform\[(\w+)\]", text):
        assert extra in EXTRAS
    for line in re.findall(r"^systemd-run .*bin/(outreach .*)$", text, re.MULTILINE):
        parse(line)
    for line in re.findall(r"exec outreach (outreach .*)$", text, re.MULTILINE):
        parse(line)


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.kind == "toml"], ids=str)
def test_settings_are_understood(block: Block, tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(block.text, encoding="utf-8")
    load_toml(path)


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.kind == "ini"], ids=str)
def test_units_are_understood(block: Block) -> None:
    configparser.ConfigParser(strict=False, interpolation=None).read_string(block.text)


@dataclass
class Sample:
    """A product on the sample's databases, after a state's snapshot and an export."""

    product: Product
    neon: DatabaseUrl


@pytest.fixture(scope="module")
def sample(pg_server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sample]:
    names = [f"pages_{part}" for part in ("neon", "supabase", "events")]
    urls = [fresh_database(pg_server, name) for name in names]
    load_sample(*urls)
    product = Product(
        tmp_path_factory.mktemp("pages"),
        {"NEON_DATABASE_URL": url_text(urls[0]), "DATABASE_URL": url_text(urls[2])},
    )
    assert product("snapshot", "--state", "PA").code == 0
    done = product("events", "--days", "90", "--sync-duckdb")
    assert done.code == 0, done.err
    yield Sample(product, urls[0])
    for name in names:
        drop_database(pg_server, name)


@pytest.mark.slow
@pytest.mark.parametrize("block", [b for b in SQL if not is_elsewhere(b)], ids=str)
def test_queries_run(block: Block, sample: Sample) -> None:
    data = sample.product.data
    statements = [
        s for s in re.sub(r"^\s*--.*$", "", block.text, flags=re.M).split(";") if s.strip()
    ]
    assert statements
    if "shq.audit_log" in block.text:
        assert fetch(sample.neon, block.text)
        return
    name = "analytics" if "research." in block.text else "outreach_workbench"
    path = data / "duckdb" / f"{name}.duckdb"
    version = StateFolder(data, "PA").published_versions()[-1]
    with duckdb.connect(str(path), read_only=True) as connection:
        for statement in statements:
            # The version is that of the run; paths are relative to where it was typed.
            here = re.sub(r"/PA/\d{14}/", f"/PA/{version}/", statement)
            here = here.replace("'data/", f"'{data}/")
            assert connection.execute(here).description


@pytest.mark.slow
@pytest.mark.parametrize("block", [b for b in BLOCKS if b.kind == "python"], ids=str)
def test_python_runs(block: Block, sample: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(sample.product.home)
    exec(compile(block.text, str(block), "exec"), {})
