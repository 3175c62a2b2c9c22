"""The statements with which a pull writes many rows of the workspace at once."""

from outreach_platform.enrichment.rows import content_sql
from outreach_platform.enrichment.tables import Places
from outreach_platform.foundation.postgres.shape import clock, recordset, types_of
from outreach_platform.foundation.warehouse import quote_identifier


def statement_of(places: Places, plan: str) -> str:
    """The statement that writes many rows of one plan."""
    shape = places.workspace_shape
    key = quote_identifier(places.entity.key)
    about = ("neon_id", "source_batch_id", "reason_code", "original_validation_errors")
    about += ("original_validation_warnings", "last_sync_hash", "pulled_content")
    written = [*(c for c in places.columns if c != places.entity.key), *about]
    types = types_of(shape, [places.entity.key, *written])
    source = recordset({**types, "overruled": "boolean"})
    names = [quote_identifier(name) for name in written]
    pulled = clock(shape, "pulled_from_neon_at")
    if plan == "insert":
        return (
            f"INSERT INTO {places.workspace} ({key}, {', '.join(names)}, enrichment_status, "
            "pulled_from_neon_at, created_at, updated_at) "
            f"SELECT {key}, {', '.join(names)}, 'pending', {pulled}, "
            f"{clock(shape, 'created_at')}, {clock(shape, 'updated_at')} FROM {source} "
            f"ON CONFLICT ({key}) DO NOTHING"
        )
    sets = ", ".join(f"{name} = v.{name}" for name in names)
    anew = f", {_reopened(places)}" if plan == "reopen" else f", {_overruled(places)}"
    return (
        f"UPDATE {places.workspace} t SET {sets}, pulled_from_neon_at = {pulled}{anew} "
        f"FROM {source} WHERE t.{key} = v.{key}"
    )


def archived(places: Places) -> str:
    """The row's edits with one more: what an enricher has made of it so far."""
    return (
        "coalesce(t.edit_history, '[]') || jsonb_build_object("
        f"'content', {content_sql(places.columns)}, "
        "'status', t.enrichment_status, 'notes', t.enrichment_notes, "
        "'enriched_by', t.enriched_by, 'enriched_at', t.enriched_at, 'neon_id', t.neon_id, "
        "'promoted_at', t.promoted_at)"
    )


def _overruled(places: Places) -> str:
    """SET item that keeps an edit which a newer source overrules.

    The log of conflicts is in the other database, and this process may be killed in between.
    """
    return f"edit_history = CASE WHEN v.overruled THEN {archived(places)} ELSE t.edit_history END"


def _reopened(places: Places) -> str:
    """SET items that begin a record's second round, its first one archived."""
    return (
        f"edit_history = {archived(places)}, "
        "enrichment_status = 'pending', enrichment_notes = NULL, enriched_by = NULL, "
        "enriched_at = NULL, pushed_to_neon_at = NULL, promoted_at = NULL, sync_problem = NULL, "
        "revalidation_attempts = 0, chronic = false, "
        f"updated_at = greatest({clock(places.workspace_shape, 'updated_at')}, "
        "t.updated_at + interval '1 microsecond')"
    )
