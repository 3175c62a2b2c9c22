"""Thresholds and limits: the shape of settings.toml, and how the user's own file overrides it."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from outreach_platform.foundation.errors import UsageError
from outreach_platform.records.states import parse_state

# A fraction: `15`, meant as percent, would switch K1 off without a word.
Share = Annotated[float, Field(ge=0, le=1, strict=True)]
# A state may grow tenfold, not thirtyfold: `30` was meant as percent.
Change = Annotated[float, Field(ge=0, le=10, strict=True)]

_MOST_DAYS = 36_500
_BYTES = r"^[1-9][0-9]*(\.[0-9]+)? ?[KMGTkmgt]i?[Bb]$"


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
    memory_limit: str = Field(default="512MB", pattern=_BYTES)
    threads: int = Field(default=2, ge=1, le=256)


class LockSettings(_Strict):
    """Waiting for another run of the same state."""

    wait_seconds: float = Field(default=60, ge=0)


class ObjectSettings(_Strict):
    """Uploads."""

    attempts: int = Field(default=4, ge=1)


class EventSettings(_Strict):
    """Extraction of behavioural events, their export and the research database."""

    lookback_days: int = Field(default=3, ge=0, le=3650)
    compression: Literal["snappy", "zstd", "gzip", "uncompressed"] = "snappy"
    research: Literal["auto", "view", "table"] = "auto"
    slow_query_ms: float = Field(default=500, gt=0)
    research_memory_limit: str = Field(default="850MB", pattern=_BYTES)
    expected_columns: tuple[str, ...] = ("completionQuality", "dayOfWeek", "timeOfDay")
    dvc: bool = True
    dvc_remote: str | None = None
    mlflow: bool = True


class EnrichmentSettings(_Strict):
    """The round trip of invalid records."""

    offer_quarantine: bool = False


class FilingSettings(_Strict):
    """Extraction of SEC filings."""

    workers: int = Field(default=0, ge=0, le=64)
    time_limit_seconds: float = Field(default=180, gt=0)
    memory_limit_mb: int = Field(default=1500, ge=200)
    footnote_ceiling: int = Field(default=1500, ge=1)
    coverage: float = Field(default=0.6, ge=0, le=1)
    download_ciks: tuple[str, ...] = ()


class MonitoringSettings(_Strict):
    """From where on something is a problem; shares as fractions."""

    window_days: int = Field(default=7, ge=1, le=90)
    success_rate: Share = 0.95
    fewest_runs: int = Field(default=3, ge=1)
    longest_minutes: float = Field(default=10, gt=0)
    stale_hours: float = Field(default=26, gt=0)
    pass_rate: Share = 1.0
    row_delta: Change = 0.50
    null_rate: Share = 0.10
    company_columns: tuple[str, ...] = ("company_name", "website_url", "industry", "company_phone")
    people_columns: tuple[str, ...] = ("full_name", "title", "email")
    unpushed_hours: float = Field(default=24, gt=0)
    free_gb: float = Field(default=2.0, ge=0)
    record_hours: float = Field(default=3, gt=0)


class AlertSettings(_Strict):
    """Messages to SLACK_WEBHOOK_URL and ALERT_WEBHOOK_URL."""

    severity: Literal["error", "warning"] = "error"


class RetentionSettings(_Strict):
    """How many days are kept of what; None keeps everything."""

    snapshot_days: int | None = None
    lake_days: int | None = None
    event_export_days: int | None = None
    event_report_days: int | None = None
    filings_backup_days: int | None = None
    run_days: int | None = None

    @field_validator("*", mode="before")
    @classmethod
    def _whole_days(cls, days: Any) -> Any:
        """Nothing but whole days: 0 would mean all or nothing, whichever one guesses."""
        whole = isinstance(days, int) and not isinstance(days, bool)
        if days is not None and not (whole and 1 <= days <= _MOST_DAYS):
            raise ValueError(
                f"must be a whole number of days from 1 to {_MOST_DAYS}; leave it out to keep "
                "everything"
            )
        return days

    @property
    def keeps_everything(self) -> bool:
        """Whether nothing is set."""
        return all(days is None for days in self.model_dump().values())


class TomlSettings(_Strict):
    """The whole of settings.toml."""

    gates: GateThresholds = GateThresholds()
    states: dict[str, StateSettings] = {}
    pull: PullSettings = PullSettings()
    locks: LockSettings = LockSettings()
    objects: ObjectSettings = ObjectSettings()
    events: EventSettings = EventSettings()
    enrichment: EnrichmentSettings = EnrichmentSettings()
    filings: FilingSettings = FilingSettings()
    monitoring: MonitoringSettings = MonitoringSettings()
    alerts: AlertSettings = AlertSettings()
    retention: RetentionSettings = RetentionSettings()

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


def load_toml(override: Path | None) -> TomlSettings:
    """Read settings.toml, and over it the file that OUTREACH_SETTINGS names.

    Raises:
        UsageError: a value or a key that is not understood, named with where it stands.
    """
    merged = _read_toml(Path(__file__).with_name("settings.toml"))
    if override is not None:
        merged = _deep_merge(merged, _read_toml(override))
    try:
        return TomlSettings.model_validate(merged)
    except ValidationError as error:
        where = override or "settings.toml"
        raise UsageError(f"{where}: {first_problem(error)}") from None


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


def first_problem(error: ValidationError) -> str:
    """The first of Pydantic's problems: where, and what, without the value."""
    problem = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(str(part) for part in problem["loc"])
    return f"{where}: {problem['msg'].removeprefix('Value error, ')}"
