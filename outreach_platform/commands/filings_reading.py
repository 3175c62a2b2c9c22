"""`outreach filings health`, `search` and `text`: they read the published database alone."""

from dataclasses import asdict
from typing import Any

import click

from outreach_platform.commands import output
from outreach_platform.filings.citations import resolve
from outreach_platform.filings.health import read_health
from outreach_platform.filings.health_verdicts import verdicts
from outreach_platform.filings.layout import FilingFolder
from outreach_platform.filings.search import search
from outreach_platform.foundation.errors import EXIT_FAILED, EXIT_OK, UsageError
from outreach_platform.settings import Settings, load_settings


def _folder(settings: Settings) -> FilingFolder:
    folder = FilingFolder(settings.data_dir)
    if not folder.published.exists():
        raise UsageError(
            f"{folder.published} does not exist: `outreach filings add FOLDER` registers filings, "
            "`outreach filings extract` reads them"
        )
    return folder


def run_health(*, as_json: bool) -> int:
    """Print the counts, the checks, and what is open; returns the exit code.

    Raises:
        UsageError: nothing was published yet.
    """
    settings = load_settings()
    folder = _folder(settings)
    health = read_health(folder.published)
    judged = verdicts(health, settings.toml.filings)
    rows: list[dict[str, Any]] = [health.counts()]
    rows += [
        {
            "check": verdict.name,
            "status": "passed" if verdict.passed else "failed",
            "stops": "publication" if verdict.blocking else "nothing",
            "message": verdict.description,
        }
        for verdict in judged
    ]
    output.result(rows, as_json=as_json)
    stopped = any(not verdict.passed and verdict.blocking for verdict in judged)
    return EXIT_FAILED if stopped else EXIT_OK


def run_search(
    *,
    text: str,
    company: str | None,
    form: str | None,
    year: int | None,
    limit: int,
    as_json: bool,
) -> int:
    """Print the best answers; returns the exit code.

    Raises:
        UsageError: nothing was published yet, or the text holds no word.
    """
    folder = _folder(load_settings())
    hits = search(folder.published, text, company=company, form=form, year=year, limit=limit)
    if as_json:
        output.result([asdict(hit) for hit in hits], as_json=True)
        return EXIT_OK
    for hit in hits:
        click.secho(
            f"{hit.company_name or hit.accession_number}  {hit.form_type} "
            f"{hit.filing_date or ''}  {hit.section_title or hit.section_type}",
            bold=True,
        )
        click.echo(f"  {hit.snippet}")
        click.secho(f"  {hit.citation}", dim=True)
    if not hits:
        output.message("nothing found: other words, or without --company, --form and --year?")
    return EXIT_OK


def run_text(*, citation: str) -> int:
    """Print what a citation names; returns the exit code.

    Raises:
        UsageError: it is no citation, or names nothing that stands here.
    """
    click.echo(resolve(_folder(load_settings()).published, citation))
    return EXIT_OK
