"""Settings from the environment, `.env` and `settings.toml`. Nothing is read at import.

Services and folders come from the environment (names in `.env.example`), thresholds and per-state
settings from `outreach_platform/settings.toml`, overridden by the file OUTREACH_SETTINGS names.
"""

import logging
import os
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from outreach_platform.foundation.errors import UsageError
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.foundation.redaction import register_secret
from outreach_platform.settings_toml import (
    GateThresholds,
    StateSettings,
    TomlSettings,
    first_problem,
    load_toml,
)

DEFAULT_BUCKET = "svg-enrichment"
SECRETS_DIR = "OUTREACH_SECRETS_DIR"


class Settings(BaseSettings):
    """One immutable picture of the configuration; build it with `load_settings`."""

    # Fields are set by name from Python and by alias from the environment. The prefix keeps names
    # apart that pydantic would read as well: DATA_DIR, TOML and the like belong to other programs.
    model_config = SettingsConfigDict(
        env_file=".env",
        env_ignore_empty=True,
        env_prefix="outreach_platform_field_",
        extra="ignore",
        frozen=True,
        populate_by_name=True,
    )

    data_dir: Path = Field(Path("data"), alias="OUTREACH_DATA_DIR")
    settings_file: Path | None = Field(None, alias="OUTREACH_SETTINGS")
    embedded_only: bool = Field(False, alias="OUTREACH_EMBEDDED_ONLY")
    log_level: str = Field("INFO", alias="LOG_LEVEL")

    neon_database_url: SecretStr | None = Field(None, alias="NEON_DATABASE_URL")
    neon_host: str | None = Field(None, alias="NEON_HOST")
    neon_database: str | None = Field(None, alias="NEON_DATABASE")
    neon_user: str | None = Field(None, alias="NEON_USER")
    neon_password: SecretStr | None = Field(None, alias="NEON_PASSWORD")
    supabase_database_url: SecretStr | None = Field(None, alias="SUPABASE_DATABASE_URL")
    events_database_url: SecretStr | None = Field(None, alias="DATABASE_URL")
    dagster_database_url: SecretStr | None = Field(None, alias="DAGSTER_PG_URL")
    duckdb_db_path: Path | None = Field(None, alias="DUCKDB_DB_PATH")
    mlflow_tracking_uri: SecretStr | None = Field(None, alias="MLFLOW_TRACKING_URI")

    b2_key_id: str | None = Field(None, alias="B2_KEY_ID")
    b2_application_key: SecretStr | None = Field(None, alias="B2_APPLICATION_KEY")
    b2_bucket: str | None = Field(None, alias="B2_BUCKET")
    b2_realm: str = Field("production", alias="B2_REALM")
    s3_bucket: str | None = Field(None, alias="S3_BUCKET")
    s3_endpoint_url: str | None = Field(None, alias="S3_ENDPOINT_URL")
    aws_region: str | None = Field(None, alias="AWS_DEFAULT_REGION")
    aws_access_key_id: str | None = Field(None, alias="AWS_ACCESS_KEY_ID")
    aws_secret_access_key: SecretStr | None = Field(None, alias="AWS_SECRET_ACCESS_KEY")
    aws_session_token: SecretStr | None = Field(None, alias="AWS_SESSION_TOKEN")
    slack_webhook_url: SecretStr | None = Field(None, alias="SLACK_WEBHOOK_URL")
    alert_webhook_url: SecretStr | None = Field(None, alias="ALERT_WEBHOOK_URL")
    public_url: str | None = Field(None, alias="OUTREACH_PUBLIC_URL")
    n8n_webhook_url: SecretStr | None = Field(None, alias="N8N_WEBHOOK_URL")
    sec_api_user_agent: str | None = Field(None, alias="SEC_API_USER_AGENT")

    toml: TomlSettings = TomlSettings()

    @field_validator("log_level")
    @classmethod
    def _known_level(cls, level: str) -> str:
        known = logging.getLevelNamesMapping()
        if level.upper() not in known:
            raise ValueError(f"{level} is none of {', '.join(known)}")
        return level.upper()

    @property
    def neon(self) -> DatabaseUrl | None:
        """The configured Neon database, or None for the embedded one.

        Raises:
            UsageError: the URL cannot be read, or only some of the NEON_ parts are set.
        """
        if self.embedded_only:
            return None
        if self.neon_database_url:
            return DatabaseUrl.parse(self.neon_database_url.get_secret_value(), "NEON_DATABASE_URL")
        parts = {
            "NEON_HOST": self.neon_host,
            "NEON_DATABASE": self.neon_database,
            "NEON_USER": self.neon_user,
            "NEON_PASSWORD": self.neon_password,
        }
        missing = [name for name, value in parts.items() if not value]
        if len(missing) == len(parts):
            return None
        if missing:
            raise UsageError(
                f"{', '.join(missing)} is not set though other NEON_ parts are: set all four, or "
                "NEON_DATABASE_URL"
            )
        password = self.neon_password.get_secret_value() if self.neon_password else ""
        return DatabaseUrl.from_parts(
            host=self.neon_host or "",
            dbname=self.neon_database or "",
            user=self.neon_user or "",
            password=password,
        )

    @property
    def events(self) -> DatabaseUrl | None:
        """The configured database of behavioural events, or None for the embedded one.

        Raises:
            UsageError: the URL cannot be read.
        """
        if self.embedded_only or not self.events_database_url:
            return None
        return DatabaseUrl.parse(self.events_database_url.get_secret_value(), "DATABASE_URL")

    @property
    def workspace(self) -> DatabaseUrl | None:
        """The configured enrichers' workspace, or None for the embedded one.

        Raises:
            UsageError: the URL cannot be read, or only one of the two databases is configured:
                real records belong into no stand-in, and sample records into no real workspace.
        """
        if self.embedded_only:
            return None
        if (self.neon is None) != (self.supabase_database_url is None):
            given = "NEON_DATABASE_URL" if self.neon_database_url else "NEON_HOST"
            missing = "SUPABASE_DATABASE_URL"
            if self.neon is None:
                given, missing = missing, "NEON_DATABASE_URL"
            raise UsageError(
                f"{given} is set and {missing} is not: enrichment works between the two; set both, "
                "or neither for the embedded ones"
            )
        if self.supabase_database_url is None:
            return None
        url = self.supabase_database_url.get_secret_value()
        return DatabaseUrl.parse(url, "SUPABASE_DATABASE_URL")

    @property
    def instance(self) -> DatabaseUrl | None:
        """Where Dagster keeps runs and events, None for files in the data folder.

        Raises:
            UsageError: the URL cannot be read.
        """
        if self.embedded_only or not self.dagster_database_url:
            return None
        url = _without_driver(self.dagster_database_url.get_secret_value())
        return DatabaseUrl.parse(url, "DAGSTER_PG_URL")

    @property
    def n8n_webhook(self) -> str | None:
        """Where pulls and promotions are told, None for nowhere."""
        if self.n8n_webhook_url is None or self.embedded_only:
            return None
        return self.n8n_webhook_url.get_secret_value()

    @property
    def alert_webhooks(self) -> dict[str, str]:
        """Where alerts go, by `slack` and `webhook`; empty for nowhere."""
        urls = {"slack": self.slack_webhook_url, "webhook": self.alert_webhook_url}
        if self.embedded_only:
            return {}
        return {name: url.get_secret_value() for name, url in urls.items() if url}

    @property
    def sec_user_agent(self) -> str | None:
        """Who asks the SEC for filings, None where nobody may."""
        return None if self.embedded_only else self.sec_api_user_agent

    @property
    def analytics_path(self) -> Path:
        """The research database."""
        if self.duckdb_db_path is None or self.embedded_only:
            return self.data_dir / "duckdb" / "analytics.duckdb"
        return _absolute(self.duckdb_db_path, "DUCKDB_DB_PATH")

    @property
    def mlflow_uri(self) -> str | None:
        """Where exports are logged, None for the local store."""
        if self.mlflow_tracking_uri is None or self.embedded_only:
            return None
        return self.mlflow_tracking_uri.get_secret_value()

    @property
    def configured_services(self) -> list[str]:
        """Names of the environment variables that point at services outside the data folder."""
        names = {
            "NEON_DATABASE_URL": self.neon_database_url,
            "NEON_HOST": self.neon_host,
            "SUPABASE_DATABASE_URL": self.supabase_database_url,
            "DATABASE_URL": self.events_database_url,
            "DAGSTER_PG_URL": self.dagster_database_url,
            "DUCKDB_DB_PATH": self.duckdb_db_path,
            "MLFLOW_TRACKING_URI": self.mlflow_tracking_uri,
            "B2_KEY_ID": self.b2_key_id,
            "S3_BUCKET": self.s3_bucket,
            "SLACK_WEBHOOK_URL": self.slack_webhook_url,
            "ALERT_WEBHOOK_URL": self.alert_webhook_url,
            "N8N_WEBHOOK_URL": self.n8n_webhook_url,
            "SEC_API_USER_AGENT": self.sec_api_user_agent,
        }
        return [name for name, value in names.items() if value]

    @property
    def bucket(self) -> str:
        """The bucket's name, the same for the local folder."""
        if self.embedded_only:
            return DEFAULT_BUCKET
        if not self.b2_key_id and self.s3_bucket:
            return self.s3_bucket
        return self.b2_bucket or DEFAULT_BUCKET

    def gate_thresholds(self, state: str) -> GateThresholds:
        """The kill switches' limits for one state (two-letter code)."""
        own = self.toml.states.get(state, StateSettings())
        return self.toml.gates.model_copy(update=own.model_dump(exclude_none=True))


def load_settings(**overrides: Any) -> Settings:
    """Read the environment, `.env` of the current folder, secret files and the TOML files.

    The folder that OUTREACH_SECRETS_DIR names may hold one file a variable, called like it, as
    containers and systemd hand secrets over; the environment and `.env` win over them.

    Args:
        overrides: fields set by the caller, by field name, before anything is read.

    Raises:
        UsageError: a value or a key that is not understood, named with where it stands.
    """
    folder = _secrets_dir()
    try:
        settings = Settings(_secrets_dir=folder, **overrides)  # pyright: ignore[reportCallIssue]
    except ValidationError as error:
        raise UsageError(f"configuration: {first_problem(error)}") from None
    except SettingsError as error:
        place = f" ({SECRETS_DIR} is {folder})" if folder else ""
        raise UsageError(f"configuration: {error}{place}") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise UsageError(f".env of {Path.cwd()} cannot be read: {reason}") from None
    _register_secrets(settings)
    update: dict[str, Any] = {"data_dir": _absolute(settings.data_dir, "OUTREACH_DATA_DIR")}
    if "toml" not in overrides:
        update["toml"] = load_toml(settings.settings_file)
    return settings.model_copy(update=update)


def _secrets_dir() -> Path | None:
    """The folder with one file a variable, None where none is named."""
    named = os.environ.get(SECRETS_DIR)
    if not named:
        return None
    folder = _absolute(Path(named), SECRETS_DIR)
    if not folder.is_dir():
        raise UsageError(f"{SECRETS_DIR} names {named}, which is no folder")
    return folder


def _register_secrets(settings: Settings) -> None:
    for name, value in settings.model_dump().items():
        if isinstance(value, SecretStr):
            register_secret(value.get_secret_value())
            if name.endswith("database_url"):
                # Its password alone is a secret as well; a bad URL is refused where it is used.
                with suppress(UsageError):
                    DatabaseUrl.parse(_without_driver(value.get_secret_value()), name.upper())


def _without_driver(url: str) -> str:
    """Without the driver that SQLAlchemy writes: so is DAGSTER_PG_URL handed to our processes."""
    return url.replace("postgresql+psycopg2://", "postgresql://", 1)


def _absolute(path: Path, name: str) -> Path:
    try:
        return path.expanduser().resolve()
    except (RuntimeError, OSError) as error:
        raise UsageError(f"{name} names {path}, which is no path: {error}") from None


def parse_until(text: str) -> date:
    """Read a `YYYY-MM-DD` date.

    Raises:
        UsageError: the text is no such date.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is no date: write it as YYYY-MM-DD") from None
