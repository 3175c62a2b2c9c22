"""`outreach filings add`, `download` and `extract`: runs of `filings_job`."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg

from outreach_platform.commands import output
from outreach_platform.commands.launch import RunOutcome, ready_instance, run_job
from outreach_platform.filings.layout import FilingFolder
from outreach_platform.filings.model import KINDS
from outreach_platform.filings.records import ExtractionRecord, MergeRecord, RegisterRecord
from outreach_platform.filings.worklist import preview, spans
from outreach_platform.foundation.errors import EXIT_FAILED, EXIT_OK, UsageError
from outreach_platform.foundation.lake import find_record
from outreach_platform.operations.jobs import filings_config
from outreach_platform.partitions import filing_year_range
from outreach_platform.settings import Settings, load_settings, parse_until

DONE = "done"
FAILED = "failed"
_REGISTERED = ("filings", "data_health")
_EXTRACTED = ("filing_extracts", *KINDS, "data_health")
_STAGES = {
    "filings__filings": "registering",
    "filings__filing_extracts": "reading filings",
    "merge": "merging",
    "filings__data_health": "judging and publishing the database",
}
_SHOWN = 20
_CIK = re.compile(r"\d{1,10}")


def run_add(*, paths: Sequence[str], as_json: bool) -> int:
    """Register files and print one row; returns the exit code.

    Raises:
        UsageError: a path does not exist.
    """
    absolute = [str(Path(path).expanduser().resolve()) for path in paths]
    if gone := [path for path in absolute if not Path(path).exists()]:
        raise UsageError(f"{gone[0]} does not exist: name a file or a folder with filings")
    return _register({"paths": absolute, "download": False}, as_json=as_json)


def run_download(*, ciks: Sequence[str], since: str | None, as_json: bool) -> int:
    """Fetch and register filings, and print one row; returns the exit code.

    Raises:
        UsageError: SEC_API_USER_AGENT is not set, or a CIK or the date is none.
    """
    for cik in ciks:
        if not _CIK.fullmatch(cik):
            raise UsageError(f"{cik!r} is no CIK: up to ten digits, for example 320193")
    if since is not None:
        parse_until(since)
    if not load_settings().sec_user_agent:
        raise UsageError(
            "SEC_API_USER_AGENT is not set: the SEC asks for a name and an address, for example "
            '"Ann Lee ann@lee.example"'
        )
    return _register({"ciks": list(ciks), "since": since}, as_json=as_json)


def _register(config: Mapping[str, Any], *, as_json: bool) -> int:
    settings = load_settings()
    with ready_instance(settings) as instance:
        row = register_filings(instance, settings, config)
    output.result([row], as_json=as_json)
    return EXIT_FAILED if row["status"] == FAILED else EXIT_OK


def register_filings(
    instance: dg.DagsterInstance, settings: Settings, config: Mapping[str, Any]
) -> dict[str, Any]:
    """Run the register's part of `filings_job`; one row."""
    year = str(_this_year())
    tags = filing_year_range(year, year)
    outcome = _run(instance, _REGISTERED, filings_config(register=config), tags)
    record = find_record(
        FilingFolder(settings.data_dir).registration(outcome.run_id), RegisterRecord
    )
    if record is not None:
        _tell([f"{key}: {why}" for key, why in record.refused.items()], "refused")
        _tell(record.problems, "warning")
    return {
        "filings": "register",
        "status": DONE if outcome.success else FAILED,
        "new": len(record.new) if record else None,
        "updated": len(record.updated) if record else None,
        "unchanged": record.unchanged if record else None,
        "refused": len(record.refused) if record else None,
        "message": outcome.error or _next_step(record),
        "run_id": outcome.run_id,
    }


def _next_step(record: RegisterRecord | None) -> str:
    if record is None or not (record.new or record.updated):
        return "nothing is new"
    return "`outreach filings extract` reads them"


def run_extract(
    *,
    mode: str,
    accessions: str | None,
    year: int | None,
    workers: int | None,
    limit: int | None,
    force: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Extract filings and print a row a filing year; returns the exit code.

    Raises:
        UsageError: an accession number is none, or not registered.
    """
    settings = load_settings()
    named = [part.strip() for part in accessions.split(",") if part.strip()] if accessions else []
    if accessions is not None and not named:
        raise UsageError("--accession is empty: name accession numbers, parted by commas")
    config: dict[str, Any] = {"mode": mode, "accessions": named, "year": year, "limit": limit}
    if dry_run:
        rows = _dry(settings, config, force=force)
        output.result(rows, as_json=as_json)
        if not rows:
            output.message("nothing would be read: every filing is done")
        return EXIT_OK
    with ready_instance(settings) as instance:
        rows = extract_filings(
            instance, settings, {**config, "force": force, "workers": workers or 0}
        )
    output.result(rows, as_json=as_json)
    return EXIT_FAILED if any(row["status"] == FAILED for row in rows) else EXIT_OK


def _dry(settings: Settings, config: Mapping[str, Any], *, force: bool) -> list[dict[str, Any]]:
    """What would be read, a row a filing."""
    years = [config["year"]] if config["year"] else None
    return [
        {
            "filing": each.meta.accession_number,
            "year": each.meta.year,
            "form": each.meta.form_type,
            "company": each.meta.company_name,
            "kinds": list(each.kinds),
        }
        for each in preview(
            FilingFolder(settings.data_dir),
            mode=config["mode"],
            accessions=config["accessions"] or None,
            years=years,
            limit=config["limit"],
            force=force,
        )
    ]


def extract_filings(
    instance: dg.DagsterInstance, settings: Settings, config: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Run the rest of `filings_job`; a row a filing year, or one where nothing was to be done."""
    folder = FilingFolder(settings.data_dir)
    found = preview(
        folder,
        mode=config["mode"],
        accessions=config.get("accessions") or None,
        years=[config["year"]] if config.get("year") else None,
        limit=config.get("limit"),
        force=config.get("force", False),
    )
    given = {k: v for k, v in config.items() if v is not None and k not in ("year", "limit")}
    if config.get("limit"):
        given["accessions"] = [each.meta.accession_number for each in found]
    years = [each.meta.year for each in found] or [_this_year()]
    rows: list[dict[str, Any]] = []
    for first, last in spans(years):
        tags = filing_year_range(str(first), str(last))
        outcome = _run(instance, _EXTRACTED, filings_config(extract=given), tags)
        rows += _extracted(folder, outcome)
    return rows


def _this_year() -> int:
    """A year that is a partition: the run of what concerns none."""
    return datetime.now(UTC).year


def _extracted(folder: FilingFolder, outcome: RunOutcome) -> list[dict[str, Any]]:
    """The rows of one run."""
    extraction = find_record(folder.extraction(outcome.run_id), ExtractionRecord)
    merged = find_record(folder.merge(outcome.run_id), MergeRecord)
    if extraction is None or not extraction.filings:
        return [_empty_row(outcome)]
    errors = {f.accession_number: f.error for f in extraction.filings if f.error}
    if merged is not None:
        errors |= {f.accession_number: f.error for f in merged.filings if f.error}
    _tell([f"{accession}: {why}" for accession, why in errors.items()], "failed")
    return [_year_row(year, extraction, merged, errors, outcome) for year in extraction.years]


def _empty_row(outcome: RunOutcome) -> dict[str, Any]:
    return {
        "filings": None,
        "status": DONE if outcome.success else FAILED,
        "read": 0,
        "failed": 0,
        **dict.fromkeys(KINDS, 0),
        "message": outcome.error or "nothing was to be read: every filing is done",
        "run_id": outcome.run_id,
    }


def _year_row(
    year: int,
    extraction: ExtractionRecord,
    merged: MergeRecord | None,
    errors: Mapping[str, str | None],
    outcome: RunOutcome,
) -> dict[str, Any]:
    chosen = [f.accession_number for f in extraction.filings if f.year == year]
    failed = Counter(accession in errors for accession in chosen)[True]
    worded = f"{failed} failed; the reasons are above, and in `outreach filings health`"
    return {
        "filings": str(year),
        "status": FAILED if failed or not outcome.success else DONE,
        "read": len(chosen) - failed,
        "failed": failed,
        **{kind: merged.rows_of(kind, year) if merged else 0 for kind in KINDS},
        "message": outcome.error or (worded if failed else "all of them merged"),
        "run_id": outcome.run_id,
    }


def _run(
    instance: dg.DagsterInstance,
    names: Sequence[str],
    config: Mapping[str, Any],
    tags: Mapping[str, str],
) -> RunOutcome:
    with output.progress("filings: starting") as progress:
        return run_job(
            instance,
            "filings_job",
            config=config,
            tags=tags,
            assets=[dg.AssetKey(["filings", name]) for name in names],
            on_step=lambda step: progress(f"filings: {_STAGES.get(step, step)}"),
            on_message=lambda sentence: progress(f"filings: {sentence}"),
        )


def _tell(sentences: Sequence[str], word: str) -> None:
    for sentence in sentences[:_SHOWN]:
        output.message(f"{word}: {sentence}", "yellow")
    if len(sentences) > _SHOWN:
        output.message(f"{word}: and {len(sentences) - _SHOWN} more", "yellow")
