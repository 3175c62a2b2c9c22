"""Settings from the environment, `.env` and `settings.toml`. Nothing is read at import.

Services and folders come from the environment (names in `.env.example`), thresholds and per-state
settings from `outreach_platform/settings.toml`, overridden by the file OUTREACH_SETTINGS names.
"""

import logging
import tomllib
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from outreach_platform.foundation.errors import UsageError
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.foundation.redaction import register_secret
from outreach_platform.records.states import parse_state

DEFAULT_BUCKET = "svg-enrichment"
# A fraction: `15`, meant as percent, would switch K1 off without a word.
Share = Annotated[float, Field(ge=0, le=1, strict=True)]
# A state may grow tenfold, not thirtyfold: `30` was meant as percent.
Change = Annotated[float, Field(ge=0, le=10, strict=True)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class GateThresholds(_Strict):
    """Limits of the kill switches; ratios as fractions, so 0.15 is 15 %."""

    bad_ratio: Share = 0.15
    row_delta: Change = 0.30
    row_delta_floor: int = Field(default=50, ge=1)


class StateSettings(_Strict):
    """What one state sets differently; None keeps the general value."""

    bad_ratio: Share | None = None
    row_delta: Change | None = None
    row_delta_floor: int | None = Field(default=None, ge=1)


class PullSettings(_Strict):
    """Where the master tables stand, and limits of the in-memory DuckDB that does the bulk work."""

    schema_name: str = Field(default="marketing", min_length=1)
    memory_limit: str = Field(
        default="512MB", pattern=r"^[1-9][0-9]*(\.[0-9]+)? ?[KMGTkmgt]i?[Bb]$"
    )
    threads: int = Field(default=2, ge=1, le=256)


class LockSettings(_Strict):
    """Waiting for another run of the same state."""

    wait_seconds: float = Field(default=60, ge=0)


class ObjectSettings(_Strict):
    """Uploads."""

    attempts: int = Field(default=4, ge=1)


class TomlSettings(_Strict):
    """The whole of settings.toml."""

    gates: GateThresholds = GateThresholds()
    states: dict[str, StateSettings] = {}
    pull: PullSettings = PullSettings()
    locks: LockSettings = LockSettings()
    objects: ObjectSettings = ObjectSettings()

    @field_validator("states", mode="before")
    @classmethod
    def _by_code(cls, states: Any) -> Any:
        """States under their codes: a misspelt state would keep the general limits in silence."""
        if not isinstance(states, dict):
            return states
        named: dict[str, Any] = {}
        for text, own in states.items():
            try:
                code = parse_state(str(text))
            except UsageError as error:
                raise ValueError(str(error)) from None
            if code in named:
                raise ValueError(f"{code} stands there twice")
            named[code] = own
        return named


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
    n8n_webhook_url: SecretStr | None = Field(None, alias="N8N_WEBHOOK_URL")

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
    def configured_services(self) -> list[str]:
        """Names of the environment variables that point at services outside the data folder."""
        names = {
            "NEON_DATABASE_URL": self.neon_database_url,
            "NEON_HOST": self.neon_host,
            "SUPABASE_DATABASE_URL": self.supabase_database_url,
            "DATABASE_URL": self.events_database_url,
            "B2_KEY_ID": self.b2_key_id,
            "S3_BUCKET": self.s3_bucket,
            "SLACK_WEBHOOK_URL": self.slack_webhook_url,
            "N8N_WEBHOOK_URL": self.n8n_webhook_url,
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
    """Read the environment, `.env` of the current folder and the TOML files.

    Args:
        overrides: fields set by the caller, by field name, before anything is read.

    Raises:
        UsageError: a value or a key that is not understood, named with where it stands.
    """
    try:
        settings = Settings(**overrides)
    except ValidationError as error:
        raise UsageError(f"configuration: {_first_problem(error)}") from None
    except SettingsError as error:
        raise UsageError(f"configuration: {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise UsageError(f".env of {Path.cwd()} cannot be read: {reason}") from None
    _register_secrets(settings)
    update: dict[str, Any] = {"data_dir": _absolute(settings.data_dir)}
    if "toml" not in overrides:
        update["toml"] = _load_toml(settings.settings_file)
    return settings.model_copy(update=update)


def _register_secrets(settings: Settings) -> None:
    for name, value in settings.model_dump().items():
        if isinstance(value, SecretStr):
            register_secret(value.get_secret_value())
            if name.endswith("database_url"):
                # Its password alone is a secret as well; a bad URL is refused where it is used.
                with suppress(UsageError):
                    DatabaseUrl.parse(value.get_secret_value(), name.upper())


def _absolute(folder: Path) -> Path:
    try:
        return folder.expanduser().resolve()
    except (RuntimeError, OSError) as error:
        raise UsageError(f"OUTREACH_DATA_DIR names {folder}, which is no folder: {error}") from None


def _load_toml(override: Path | None) -> TomlSettings:
    merged = _read_toml(Path(__file__).with_name("settings.toml"))
    if override is not None:
        merged = _deep_merge(merged, _read_toml(override))
    try:
        return TomlSettings.model_validate(merged)
    except ValidationError as error:
        where = override or "settings.toml"
        raise UsageError(f"{where}: {_first_problem(error)}") from None


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"OUTREACH_SETTINGS names {path}, which cannot be read: {error.strerror}"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is no valid TOML: {error}") from None


def _deep_merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        inner = merged.get(key)
        if isinstance(inner, dict) and isinstance(value, dict):
            value = _deep_merge(inner, value)
        merged[key] = value
    return merged


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(str(part) for part in problem["loc"])
    return f"{where}: {problem['msg'].removeprefix('Value error, ')}"


def parse_until(text: str) -> date:
    """Read a `YYYY-MM-DD` date.

    Raises:
        UsageError: the text is no such date.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is no date: write it as YYYY-MM-DD") from None
