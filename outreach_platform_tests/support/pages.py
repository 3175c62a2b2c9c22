"""The papers: which code blocks a page shows, and whether a command line could be typed."""

import re
import shlex
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import click
from markdown_it import MarkdownIt

from outreach_platform.cli import cli
from outreach_platform_tests.support.postgres import ROOT


@dataclass(frozen=True)
class Block:
    """A code block of a page.

    Attributes:
        page: path below the root.
        line: where it begins, counted from 1.
        kind: what stands behind its fence, for example `sql`; empty for a terminal.
        text: what it holds.
    """

    page: str
    line: int
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def commands(self) -> list[str]:
        """Its lines that run something of ours, continued ones joined."""
        joined = re.sub(r"\\\n\s*", "", self.text)
        return [line for line in joined.splitlines() if line.startswith(("outreach ", "make "))]


def pages() -> list[Path]:
    """Every paper with something to try."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(path: Path) -> list[Block]:
    """The code blocks of a page, fenced or indented, in lists and quotations too."""
    return blocks_of(path.read_text(encoding="utf-8"), str(path.relative_to(ROOT)))


def blocks_of(text: str, page: str) -> list[Block]:
    """The same of a text."""
    return [
        Block(page, token.map[0] + 1, token.info.strip(), token.content)
        for token in MarkdownIt("commonmark").parse(text)
        if token.type in ("fence", "code_block") and token.map
    ]


def all_blocks() -> list[Block]:
    """Those of all papers."""
    return [block for path in pages() for block in blocks(path)]


def parse(line: str) -> click.Context:
    """Read an `outreach` command as the terminal would; nothing is run.

    Raises:
        click.UsageError: there is no such command or option.
    """
    # What explains a command stands behind three blanks or more.
    words = shlex.split(re.split(r"\s{3,}", line)[0], comments=True)[1:]
    context, command = click.Context(cli), cli
    while isinstance(command, click.Group):
        if not words or words[0].startswith("-"):
            return command.make_context(command.name or "", words, parent=context.parent)
        name, found, words = command.resolve_command(context, words)
        if found is None:
            raise click.UsageError(f"no command {name}")
        command = found
        context = click.Context(command, parent=context, info_name=name)
    return command.make_context(command.name, words, parent=context.parent)


def mentions(text: str) -> list[str]:
    """The `outreach` commands that a text names between backquotes, optional parts included."""
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    return [re.sub(r"[\[\]]", "", found) for found in re.findall(r"`(outreach [^`]+)`", prose)]


def parse_mention(text: str) -> None:
    """Refuse a command that does not exist; what it needs besides may be left out in a sentence.

    Raises:
        click.UsageError: there is no such command or option.
    """
    values = {"N": "1", "DATE": "2026-01-31", "V": "20260131020000", "CIK…": "320193"}
    line = " ".join(values.get(word, word) for word in text.split())
    # `outreach restore`, `outreach up --host`
    with suppress(click.MissingParameter, click.BadOptionUsage):
        parse(line)


def make_targets() -> set[str]:
    """What `make help` lists."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))


def parse_make(line: str) -> None:
    """Refuse a `make` line whose target does not exist."""
    words = [word for word in shlex.split(line, comments=True)[1:] if "=" not in word]
    unknown = [word for word in words if word not in make_targets()]
    if unknown:
        raise click.UsageError(f"no target {', '.join(unknown)} in the Makefile")
