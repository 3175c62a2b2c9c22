"""What a run has to extract: by filing and kind, from the register and the status rows."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, get_args

import duckdb

from outreach_platform.filings.model import KINDS, PARSER_VERSION, FilingMeta, Kind
from outreach_platform.foundation.errors import UsageError

Mode = Literal["missing", "no_tables", "all"]
MODES: tuple[Mode, ...] = get_args(Mode)
# What `no_tables` replaces: a footnote belongs to its table.
_TABLES: tuple[Kind, ...] = ("tables", "footnotes")


@dataclass(frozen=True, slots=True)
class PlannedFiling:
    """A filing to extract.

    Attributes:
        meta: its register entry.
        kinds: what is to be replaced, in the order of `model.KINDS`.
    """

    meta: FilingMeta
    kinds: tuple[Kind, ...]


@dataclass(frozen=True, slots=True)
class _Standing:
    """What the status rows of a filing say.

    Attributes:
        done: kinds that are done or empty, be it from other bytes or by another parser.
        current: those of them that the present parser made from the present bytes.
    """

    done: frozenset[Kind] = frozenset()
    current: frozenset[Kind] = frozenset()


def plan(
    connection: duckdb.DuckDBPyConnection,
    *,
    mode: Mode,
    accessions: Collection[str] | None = None,
    year: int | None = None,
    limit: int | None = None,
    force: bool = False,
) -> list[PlannedFiling]:
    """The filings to extract, in the order of the register.

    Args:
        connection: the writer's database.
        mode: `missing`: kinds that are not done for the present bytes and parser, failed ones
            again; `no_tables`: filings whose tables are not done; `all`: every filing whose bytes
            or parser changed, or that is not done.
        accessions: only these filings, with dashes.
        year: only those of this filing year.
        limit: at most so many.
        force: with `all`, also filings that stand unchanged.

    Raises:
        UsageError: an accession number is not registered, was refused, or has no raw file.
    """
    from outreach_platform.filings.registry import registered

    metas = registered(
        connection, accessions=None if accessions is None else [*accessions], year=year
    )
    _require_all(connection, metas, accessions)
    standing = _standing(connection, {meta.accession_number: meta for meta in metas})
    planned = []
    for meta in metas:
        # An imported filing has no raw file until one is registered.
        if meta.refused is None and meta.local_path is not None:
            kinds = _kinds(mode, standing.get(meta.accession_number, _Standing()), force)
            planned += [PlannedFiling(meta, kinds)] if kinds else []
    return planned[:limit]


def _kinds(mode: Mode, standing: _Standing, force: bool) -> tuple[Kind, ...]:
    if mode == "missing":
        return tuple(kind for kind in KINDS if kind not in standing.current)
    if mode == "no_tables":
        return () if "tables" in standing.done else _TABLES
    return () if len(standing.current) == len(KINDS) and not force else KINDS


def _require_all(
    connection: duckdb.DuckDBPyConnection,
    metas: list[FilingMeta],
    accessions: Collection[str] | None,
) -> None:
    """Refuse accession numbers that cannot be extracted, naming them.

    A filing of another year is no mistake: the accession numbers of a run may span several.
    """
    if accessions is None:
        return
    known = {
        row[0]
        for row in connection.execute(
            "SELECT accession_number FROM filings WHERE list_contains(?, accession_number)",
            [list(accessions)],
        ).fetchall()
    }
    unknown = sorted(set(accessions) - known)
    if unknown:
        raise UsageError(
            f"not registered: {', '.join(unknown)}; run `outreach filings add` with the files "
            "first, or check the accession numbers"
        )
    refused = [f"{meta.accession_number} ({meta.refused})" for meta in metas if meta.refused]
    if refused:
        raise UsageError(f"refused when they were registered: {', '.join(refused)}")
    if bare := [meta.accession_number for meta in metas if meta.local_path is None]:
        raise UsageError(
            f"imported without the raw file: {', '.join(bare)}; run `outreach filings add` with "
            "the files first"
        )


def _standing(
    connection: duckdb.DuckDBPyConnection, metas: dict[str, FilingMeta]
) -> dict[str, _Standing]:
    rows = connection.execute(
        "SELECT accession_number, kind, content_hash, parser_version FROM filing_status "
        "WHERE status IN ('done', 'empty')"
    ).fetchall()
    done: dict[str, set[Kind]] = {}
    current: dict[str, set[Kind]] = {}
    for accession, kind, content_hash, version in rows:
        if accession not in metas:
            continue
        done.setdefault(accession, set()).add(kind)
        if content_hash == metas[accession].content_hash and version == PARSER_VERSION:
            current.setdefault(accession, set()).add(kind)
    return {
        accession: _Standing(frozenset(kinds), frozenset(current.get(accession, ())))
        for accession, kinds in done.items()
    }
