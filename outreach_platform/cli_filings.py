"""The commands `outreach filings …`."""

import click

from outreach_platform.cli_base import JSON, Group

_YEAR = click.option("--year", type=click.IntRange(1993, 2100), help="Only this filing year.")
_DRY = click.option("--dry-run", is_flag=True, help="Tell what would change; change nothing.")


@click.group(cls=Group)
def filings() -> None:
    r"""SEC filings: sections, tables, footnotes and chunks in DuckDB, to cite and to search.

    \b
    outreach filings add FOLDER            register 10-K and 10-Q documents
    outreach filings extract               what is registered and not yet extracted
    outreach filings search "supply chain" --form 10-K --year 2024
    outreach filings text CITATION         the very text that a citation names
    outreach filings health                counts, coverage, gaps, failures

    The database is duckdb/filings.duckdb in the data folder: open it with any DuckDB. It is a
    published copy, so that an open shell never blocks a run.
    """


@filings.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH…")
@JSON
def add(paths: tuple[str, ...], as_json: bool) -> int:
    r"""Register filings: files, folders, .gz, full submissions.

    \b
    outreach filings add ~/filings
    outreach filings add 0000320193-24-000123.htm.gz

    Who filed what and when comes from a filings.csv beside the files, the file name, the SGML
    header, or the document's cover. Other forms than 10-K, 10-K405, 10-KT, 10-Q and their
    amendments, broken downloads and empty files are registered as refused, with the reason. A
    second time changes nothing.
    """
    from outreach_platform.commands.filings import run_add

    return run_add(paths=paths, as_json=as_json)


@filings.command()
@click.argument("ciks", nargs=-1, required=True, metavar="CIK…")
@click.option("--since", metavar="YYYY-MM-DD", help="Filed on this day or later.")
@JSON
def download(ciks: tuple[str, ...], since: str | None, as_json: bool) -> int:
    """Fetch a company's 10-K and 10-Q filings from the SEC, and register them.

    Needs SEC_API_USER_AGENT, a name and an address, which the SEC asks for. What stands here
    already is not fetched again.
    """
    from outreach_platform.commands.filings import run_download

    return run_download(ciks=ciks, since=since, as_json=as_json)


@filings.command()
@click.option(
    "--mode",
    type=click.Choice(["missing", "no_tables", "all"]),
    default="missing",
    show_default=True,
    help="What is not done yet, filings without tables, or every filing.",
)
@click.option("--accession", metavar="A,B", help="Only these accession numbers.")
@_YEAR
@click.option("--workers", type=click.IntRange(1, 64), help="Processes [default: one a core].")
@click.option("--limit", type=click.IntRange(1), help="At most so many filings.")
@click.option("--force", is_flag=True, help="Unchanged filings too, and empty results count.")
@_DRY
@JSON
def extract(
    mode: str,
    accession: str | None,
    year: int | None,
    workers: int | None,
    limit: int | None,
    force: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    r"""Read registered filings into sections, tables, footnotes and chunks.

    \b
    outreach filings extract
    outreach filings extract --mode no_tables --year 2023
    outreach filings extract --accession 0000320193-24-000123 --force

    A filing that crashes, hangs or eats memory is marked failed with the reason; the others go on,
    and the command ends with 1. A filing whose bytes and parser have not changed is not read again,
    unless --force is given.
    """
    from outreach_platform.commands.filings import run_extract

    return run_extract(
        mode=mode,
        accessions=accession,
        year=year,
        workers=workers,
        limit=limit,
        force=force,
        dry_run=dry_run,
        as_json=as_json,
    )


@filings.command()
@JSON
def health(as_json: bool) -> int:
    """Show filings by kind, coverage, duplicates, orphans, failures and size.

    Ends with 1 where a check that guards the data fails.
    """
    from outreach_platform.commands.filings_reading import run_health

    return run_health(as_json=as_json)


@filings.command()
@click.argument("text")
@click.option("--company", metavar="C", help="Ticker, CIK or part of the name.")
@click.option("--form", metavar="F", help="For example 10-K; its amendments are found too.")
@_YEAR
@click.option("--limit", type=click.IntRange(1, 200), default=10, show_default=True)
@JSON
def search(
    text: str, company: str | None, form: str | None, year: int | None, limit: int, as_json: bool
) -> int:
    r"""Search the full text of all sections; each answer comes with its citation.

    \b
    outreach filings search "going concern" --form 10-K
    outreach filings search '"supply chain" shortage' --company AAPL --year 2024

    A phrase in double quotes has to occur as it stands.
    """
    from outreach_platform.commands.filings_reading import run_search

    return run_search(
        text=text, company=company, form=form, year=year, limit=limit, as_json=as_json
    )


@filings.command()
@click.argument("citation")
def text(citation: str) -> int:
    r"""Print the very text that a citation names.

    \b
    outreach filings text "0000320193-24-000123 part_i item_1a [0:500]"
    """
    from outreach_platform.commands.filings_reading import run_text

    return run_text(citation=citation)


@filings.command()
@click.argument("file", required=False, type=click.Path(dir_okay=False))
@_DRY
@JSON
def dedupe(file: str | None, dry_run: bool, as_json: bool) -> int:
    r"""Remove duplicates and orphans; keep the better one of each pair.

    \b
    outreach filings dedupe --dry-run            what would go
    outreach filings dedupe                      after a backup
    outreach filings dedupe old/filings.duckdb   import a predecessor's database, cleaned

    Of two rows with one natural key the one of better quality stays, then the longer, then the
    newer. A backup is written first, and named.
    """
    from outreach_platform.commands.filings_upkeep import run_dedupe

    return run_dedupe(file=file, dry_run=dry_run, as_json=as_json)


@filings.command()
@JSON
def compact(as_json: bool) -> int:
    """Write the database anew without its dead space, and swap it in."""
    from outreach_platform.commands.filings_upkeep import run_compact

    return run_compact(as_json=as_json)
