"""The command `outreach`: the same jobs from a terminal, with exit codes that scripts rely on.

0 done, 1 failed, 2 wrong usage or configuration, 3 stopped by a kill switch, 130 interrupted.
Results go to stdout, messages and progress to stderr, tracebacks to `logs/outreach.log`.
"""

import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from outreach_platform import __version__
from outreach_platform.cli_alerts import alerts
from outreach_platform.cli_base import HOST, JSON, PORT, Group
from outreach_platform.cli_enrich import enrich
from outreach_platform.cli_filings import filings
from outreach_platform.cli_upkeep import UPKEEP
from outreach_platform.foundation.errors import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_USAGE,
    OutreachError,
)
from outreach_platform.foundation.redaction import redact

_logger = logging.getLogger(__name__)


@click.group(
    cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="outreach")
def cli() -> None:
    r"""Outreach snapshots, behavioural events, enrichment and SEC filings as one asset graph.

    \b
    outreach demo                     sample data, the whole graph once, then the web UI
    outreach up                       web UI, schedules and sensors on the configured databases
    outreach snapshot --state WV      one state: pull, split, kill switches, Parquet, objects, audit
    outreach events --sync-duckdb     behavioural events to Parquet and the research database
    outreach enrich run               invalid records out to enrichers, completed ones promoted
    outreach filings extract          SEC filings to sections, tables, footnotes and chunks
    outreach status                   what is wrong, last success, counts
    outreach verify                   every manifest against disk and object store
    outreach restore                  a published version back from the object store
    outreach prune                    what is older than the settings say, removed
    outreach backup                   a copy of all state, taken while it is in use
    outreach report                   one HTML page on all of it

    Configuration comes from the environment or `.env`; `.env.example` lists it. Without any, an
    embedded PostgreSQL and a local folder are used.

    \b
    Exit codes: 0 done, 1 failed, 2 wrong usage or configuration,
                3 stopped by a kill switch, 130 interrupted
    """


@cli.command()
@click.option("--serve/--no-serve", "serve_ui", default=True, help="Serve the UI at the end.")
@PORT
@JSON
def demo(serve_ui: bool, port: int | None, as_json: bool) -> int:
    """Load sample data, run the whole graph once, then serve the UI.

    Works on the embedded databases and the local object store, whatever is configured. One of the
    six states is dirty on purpose: K1 stops it, the other five are published, and the command ends
    with 0 all the same.
    """
    from outreach_platform.commands.demo import demo as run

    return run(serve_ui=serve_ui, port=port, as_json=as_json)


@cli.command()
@PORT
@HOST
def up(port: int | None, host: str) -> int:
    """Serve the UI, schedules and sensors until Ctrl-C.

    On the configured databases; where no URL is set, on the embedded ones. The UI has no login: put
    a proxy that has one before it when --host is reached from elsewhere.
    """
    from outreach_platform.commands.demo import up as run

    return run(port=port, host=host)


@cli.command()
@click.option("--state", "states", multiple=True, metavar="WV", help="A state; can be repeated.")
@click.option("--all-states", is_flag=True, help="All six states.")
@click.option(
    "--override",
    "overrides",
    multiple=True,
    type=click.Choice(["K1", "K2", "K3"], case_sensitive=False),
    help="Let these states pass a kill switch; needs --reason, --by and --until.",
)
@click.option("--reason", metavar="TEXT", help="Why the override is right; audited.")
@click.option("--by", metavar="NAME", help="Who answers for the override; audited.")
@click.option("--until", metavar="YYYY-MM-DD", help="Last UTC day on which the override holds.")
@click.option("--plain", is_flag=True, help="Legacy: unversioned files without kill switches.")
@JSON
def snapshot(
    states: tuple[str, ...],
    all_states: bool,
    overrides: tuple[str, ...],
    reason: str | None,
    by: str | None,
    until: str | None,
    plain: bool,
    as_json: bool,
) -> int:
    r"""Pull a state, split it, ask the kill switches, publish and record it.

    \b
    outreach snapshot --state WV --state PA
    outreach snapshot --all-states --json
    outreach snapshot --state PA --override K1 --reason "list bought, cleaning under way" \
                      --by "Ann Lee" --until 2026-12-31

    Every state is tried. The command ends with 1 if any failed, else with 3 if any was stopped by
    a kill switch. An override is kept in shq.kill_switch_overrides and holds for schedules too; K3
    cannot be overridden.

    --plain is the predecessor's form for scripts that still read it: exports/wv/… without versions
    and without kill switches, people not tied to good companies.
    """
    from outreach_platform.commands.run_snapshot import run_snapshot

    return run_snapshot(
        states=states,
        all_states=all_states,
        switches=overrides,
        reason=reason,
        by=by,
        until=until,
        plain=plain,
        as_json=as_json,
    )


@cli.command()
@click.option("--days", type=int, default=90, show_default=True, help="UTC days up to today.")
@click.option("--user-id", metavar="ID", help="Export this user only; moves no latest.")
@click.option(
    "--validate", "validation", flag_value="strict", default=True, help="Strict, the default."
)
@click.option("--non-strict", "validation", flag_value="non_strict", help="Quarantine bad rows.")
@click.option("--no-validate", "validation", flag_value="none", help="Let every row go on.")
@click.option("--sync-duckdb", "sync", is_flag=True, help="Build the research database as well.")
@click.option("--as-table", is_flag=True, help="There, an ordered table with three indexes.")
@click.option("--full", is_flag=True, help="Pull every day again.")
@JSON
def events(
    days: int,
    user_id: str | None,
    validation: str,
    sync: bool,
    as_table: bool,
    full: bool,
    as_json: bool,
) -> int:
    r"""Take a window of behavioural events, validate it, write it to Parquet.

    \b
    outreach events --days 90 --sync-duckdb
    outreach events --non-strict --json
    outreach events --user-id c0123456789abcdefghijklmn

    Only days that are new, recent or changed at the source are pulled. Strict validation stops at
    any violation, publishes nothing and writes an error report; --non-strict puts bad rows into
    quarantine; --no-validate marks the export as not validated. The newest export is always
    raw/behavioral_events_latest.parquet.

    A research database that cannot be brought up to date is a warning: the export stands, and the
    next run with --sync-duckdb repairs it.
    """
    from outreach_platform.commands.events import run_events

    return run_events(
        days=days,
        user_id=user_id,
        validation=validation,
        sync=sync,
        form="table" if as_table else None,
        full=full,
        as_json=as_json,
    )


@cli.command()
@JSON
def status(as_json: bool) -> int:
    """Show what is wrong, worst first; then last success and counts of each wing.

    Ends with 1 if anything is an error, and with 0 if there are warnings alone, so that any monitor
    can call it. It looks at disk and runs, and needs no database; what the hourly monitoring found
    in databases and object store stands there with its age. docs/operations.md says what each kind
    of problem means and what to do.
    """
    from outreach_platform.commands.status_all import show_status

    return show_status(as_json=as_json)


@cli.command()
@click.option(
    "--to",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write it there [default: reports/report.html in the data folder].",
)
@JSON
def report(to: Path | None, as_json: bool) -> int:
    """Write one HTML page: states over time, kill switches, enrichment, events and filings.

    It needs nothing but a browser, holds counts only, and is written daily while `outreach up`
    runs. Prints the file's path.
    """
    from outreach_platform.commands.report import run_report

    return run_report(to=to, as_json=as_json)


cli.add_command(alerts)
cli.add_command(enrich)
cli.add_command(filings)
for command in UPKEEP:
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and end the process with its exit code."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code instead of ending the process."""
    try:
        return int(cli.main(args=arguments, prog_name="outreach", standalone_mode=False) or EXIT_OK)
    except click.ClickException as error:
        error.show()
        return EXIT_USAGE
    except (KeyboardInterrupt, click.Abort):
        from outreach_platform.commands import output

        output.interrupted()
        return EXIT_INTERRUPTED
    except OutreachError as error:
        _logger.info("ended with an error", exc_info=True)
        click.echo(f"error: {error}", err=True)
        return error.exit_code
    except Exception as error:
        _logger.exception("unexpected error")
        first = redact(f"{type(error).__name__}: {error}").splitlines()[0]
        click.echo(f"error: {first}; the traceback is in the log folder", err=True)
        return EXIT_FAILED


if __name__ == "__main__":
    main()
