"""Resources: configuration turned into plain domain objects at run time, never at import.

Tests and other deployments exchange them through `build_defs(resource_overrides=…)`.
"""

from pathlib import Path

import dagster as dg
from pydantic import PrivateAttr

from outreach_platform import __version__
from outreach_platform.embedded.server import EmbeddedServer, ensure_running
from outreach_platform.foundation.data_layout import require_layout
from outreach_platform.foundation.errors import UsageError
from outreach_platform.foundation.logs import log_to_file
from outreach_platform.foundation.objects.b2 import B2Store
from outreach_platform.foundation.objects.local import LocalStore
from outreach_platform.foundation.objects.protocol import ObjectStore
from outreach_platform.foundation.objects.s3 import S3Store
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.settings import Settings, load_settings


def embedded_folder(data_dir: Path) -> Path:
    """Where the embedded PostgreSQL keeps its cluster."""
    return data_dir / "embedded"


class PlatformSettings(dg.ConfigurableResource):
    """The settings, read from the environment when a run starts."""

    def load(self) -> Settings:
        """Read them, and send this process's log to the data folder.

        Raises:
            UsageError: a value is not understood, or the folder cannot be written or is of a
                newer release.
        """
        settings = load_settings()
        require_layout(settings.data_dir, __version__)
        try:
            log_to_file(settings.data_dir / "logs", settings.log_level)
        except OSError as error:
            raise UsageError(
                f"{settings.data_dir} cannot be written ({error.strerror}): make it writable, or "
                "name another folder in OUTREACH_DATA_DIR"
            ) from None
        return settings


class NeonDatabase(dg.ConfigurableResource):
    """The database of companies and people: Neon by configuration, else the embedded one."""

    _server: EmbeddedServer | None = PrivateAttr(default=None)

    def url(self, settings: Settings) -> DatabaseUrl:
        """Its address; the embedded server is started or joined for this process's life."""
        configured = settings.neon
        if configured is not None:
            return configured
        self._server = ensure_running(embedded_folder(settings.data_dir))
        return self._server.url("neon")


class WorkspaceDatabase(dg.ConfigurableResource):
    """The enrichers' workspace: SUPABASE_DATABASE_URL by configuration, else the embedded one."""

    _server: EmbeddedServer | None = PrivateAttr(default=None)

    def url(self, settings: Settings) -> DatabaseUrl:
        """Its address; the embedded server is started or joined for this process's life.

        Raises:
            UsageError: Neon is configured and the workspace is not, or the other way round.
        """
        configured = settings.workspace
        if configured is not None:
            return configured
        self._server = ensure_running(embedded_folder(settings.data_dir))
        return self._server.url("supabase")


class EventsDatabase(dg.ConfigurableResource):
    """The database of behavioural events: DATABASE_URL by configuration, else the embedded one."""

    _server: EmbeddedServer | None = PrivateAttr(default=None)

    def url(self, settings: Settings) -> DatabaseUrl:
        """Its address; the embedded server is started or joined for this process's life."""
        configured = settings.events
        if configured is not None:
            return configured
        self._server = ensure_running(embedded_folder(settings.data_dir))
        return self._server.url("events")


class ObjectStorage(dg.ConfigurableResource):
    """Backblaze B2 when B2_KEY_ID is set, else S3 when S3_BUCKET is set, else a local folder."""

    def store(self, settings: Settings) -> ObjectStore:
        """The store.

        Raises:
            UsageError: a key without its secret.
        """
        if settings.embedded_only:
            return LocalStore(settings.data_dir / "objects", settings.bucket)
        if settings.b2_key_id:
            if settings.b2_application_key is None:
                raise UsageError("B2_KEY_ID is set but B2_APPLICATION_KEY is not: set both")
            secret = settings.b2_application_key.get_secret_value()
            return B2Store(settings.b2_key_id, secret, settings.bucket, realm=settings.b2_realm)
        if settings.s3_bucket:
            return S3Store(_s3_client(settings), settings.bucket)
        return LocalStore(settings.data_dir / "objects", settings.bucket)


def _s3_client(settings: Settings):
    from outreach_platform.resources_s3 import SnapshotS3Resource

    # Passed on by hand, because boto3 does not read `.env`.
    secret, token = settings.aws_secret_access_key, settings.aws_session_token
    return SnapshotS3Resource(
        endpoint_url=settings.s3_endpoint_url,
        region_name=settings.aws_region,
        aws_access_key_id=settings.aws_access_key_id,
        aws_secret_access_key=secret.get_secret_value() if secret else None,
        aws_session_token=token.get_secret_value() if token else None,
    ).get_client()
