"""What of the state stands outside the data folder, by configuration, and is not copied."""

from outreach_platform.operations.backup.records import PartRecord
from outreach_platform.operations.instance import dagster_home
from outreach_platform.settings import Settings

_RUNS = "dagster"


def said(variable: str) -> str:
    """The sentence on a part that a variable puts elsewhere."""
    return f"configured outside ({variable}), not copied; back it up there"


def databases(settings: Settings) -> dict[str, str]:
    """Databases that stand elsewhere, with the variable that says where."""
    if settings.embedded_only:
        return {}
    found = {}
    if settings.neon_database_url or settings.neon_host:
        found["neon"] = "NEON_DATABASE_URL" if settings.neon_database_url else "NEON_HOST"
    if settings.supabase_database_url:
        found["supabase"] = "SUPABASE_DATABASE_URL"
    if settings.events_database_url:
        found["events"] = "DATABASE_URL"
    return found


def runs(settings: Settings) -> str | None:
    """A sentence where runs are not recorded in the data folder."""
    if settings.instance is not None:
        return f"{said('DAGSTER_PG_URL')}; what runs printed was copied"
    if dagster_home(settings.data_dir) != (settings.data_dir / _RUNS).absolute():
        return said("DAGSTER_HOME")
    return None


def others(settings: Settings) -> list[PartRecord]:
    """What is no part of a copy, or stands elsewhere."""
    found = [
        PartRecord(part="logs", status="left out", message="not needed; waiting audit rows are in")
    ]
    if store := object_store(settings):
        found.append(PartRecord(part="object store", status="outside", message=said(store)))
    research = settings.analytics_path
    if not research.is_relative_to(settings.data_dir):
        message = said("DUCKDB_DB_PATH")
        found.append(PartRecord(part="research database", status="outside", message=message))
    if settings.mlflow_uri:
        message = said("MLFLOW_TRACKING_URI")
        found.append(PartRecord(part="mlflow", status="outside", message=message))
    return found


def object_store(settings: Settings) -> str | None:
    """The variable that names the bucket, None for the folder in the data folder."""
    if settings.embedded_only:
        return None
    return "B2_BUCKET" if settings.b2_key_id else "S3_BUCKET" if settings.s3_bucket else None
