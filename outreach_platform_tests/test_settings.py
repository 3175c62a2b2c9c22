"""Settings from the environment, `.env` and TOML files; what is wrong is named, secrets are not."""

import os
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from outreach_platform.foundation.errors import UsageError
from outreach_platform.foundation.redaction import redact
from outreach_platform.settings import DEFAULT_BUCKET, Settings, load_settings, parse_until
from outreach_platform.settings_toml import GateThresholds, TomlSettings

SECRETS = {
    "NEON_DATABASE_URL": "postgresql://u:canary-neon@h/db",
    "SUPABASE_DATABASE_URL": "postgresql://u:canary-supa@h/db",
    "DATABASE_URL": "postgresql://u:canary-events@h/db?schema=public",
    "NEON_PASSWORD": "canary-parts",
    "DAGSTER_PG_URL": "postgresql://a:canary-runs@h/d",
    "B2_APPLICATION_KEY": "canary-b2",
    "AWS_SECRET_ACCESS_KEY": "canary-aws",
    "AWS_SESSION_TOKEN": "canary-session",
    "SLACK_WEBHOOK_URL": "https://hooks.example/canary-slack",
    "N8N_WEBHOOK_URL": "https://n8n.example/canary-n8n",
}


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.upper().startswith(("NEON", "OUTREACH", "B2_", "S3_", "AWS", "SUPABASE", "LOG_")):
            monkeypatch.delenv(name)
    for name in SECRETS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def from_toml(monkeypatch: pytest.MonkeyPatch, folder: Path, text: str) -> Settings:
    path = folder / "own.toml"
    path.write_text(text, encoding="utf-8")
    monkeypatch.setenv("OUTREACH_SETTINGS", str(path))
    return load_settings()


def test_nothing_set(tmp_path: Path) -> None:
    settings = load_settings()
    assert settings.data_dir == tmp_path / "data"
    assert settings.neon is None
    assert settings.bucket == DEFAULT_BUCKET == "svg-enrichment"
    assert settings.configured_services == []
    assert settings.toml.gates == GateThresholds(bad_ratio=0.15, row_delta=0.30, row_delta_floor=50)
    for state in ("WV", "PA", "VA", "MD", "OH", "DE"):
        assert settings.gate_thresholds(state) == settings.toml.gates


def test_the_shipped_file_says_what_the_code_says() -> None:
    assert load_settings().toml == TomlSettings()


@pytest.mark.parametrize("name", [*SECRETS, "OUTREACH_DATA_DIR", "LOG_LEVEL", "B2_KEY_ID"])
def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    before = load_settings()
    monkeypatch.setenv(name, "")
    assert load_settings() == before


def test_data_dir(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OUTREACH_DATA_DIR", "some/where/../folder")
    assert load_settings().data_dir == tmp_path / "some" / "folder"
    monkeypatch.setenv("HOME", "/somebody")
    monkeypatch.setenv("OUTREACH_DATA_DIR", "~/rows")
    assert load_settings().data_dir == Path("/somebody/rows")
    assert load_settings(data_dir=Path("over")).data_dir == tmp_path / "over"
    monkeypatch.setenv("OUTREACH_DATA_DIR", "~nobody-of-that-name/rows")
    with pytest.raises(UsageError, match="OUTREACH_DATA_DIR names"):
        load_settings()


@pytest.mark.parametrize("name", ["DATA_DIR", "data_dir", "EMBEDDED_ONLY", "TOML", "SETTINGS_FILE"])
def test_names_of_other_programs_are_not_read(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    before = load_settings()
    monkeypatch.setenv(name, "/somewhere/else")
    assert load_settings() == before


def test_dotenv_is_read_and_the_environment_wins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text(
        "LOG_LEVEL=debug\nS3_BUCKET='from dotenv'\nSOMETHING_ELSE=1\nexport B2_BUCKET=\n"
    )
    assert load_settings().log_level == "DEBUG"
    assert load_settings().bucket == "from dotenv"
    monkeypatch.setenv("S3_BUCKET", "from-environment")
    assert load_settings().bucket == "from-environment"


def test_a_dotenv_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"NEON_PASSWORD=\xff\xfecanary\n")
    with pytest.raises(UsageError, match=r"\.env of .* cannot be read") as caught:
        load_settings()
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"), [("OUTREACH_EMBEDDED_ONLY", "maybe"), ("LOG_LEVEL", "loud")]
)
def test_bad_values_are_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=f"configuration: {name}: "):
        load_settings()


def test_neon_url_wins_over_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"HOST": "h2", "DATABASE": "My DB", "USER": "u", "PASSWORD": "pw12"}.items():
        monkeypatch.setenv(f"NEON_{name}", value)
    neon = load_settings().neon
    assert neon is not None
    assert (neon.display, neon.params["sslmode"]) == ("h2/My DB", "require")
    monkeypatch.setenv("NEON_DATABASE_URL", "postgresql://h1/a")
    neon = load_settings().neon
    assert neon is not None
    assert neon.display == "h1/a"
    assert load_settings(embedded_only=True).neon is None


@pytest.mark.parametrize("missing", ["HOST", "DATABASE", "USER", "PASSWORD"])
def test_parts_are_all_or_none(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    for name in {"HOST", "DATABASE", "USER", "PASSWORD"} - {missing}:
        monkeypatch.setenv(f"NEON_{name}", "value")
    with pytest.raises(UsageError, match=f"^NEON_{missing} is not set"):
        _ = load_settings().neon


PARTS = {
    "NEON_HOST": "h",
    "NEON_DATABASE": "Marketing DB",
    "NEON_USER": "u",
    "NEON_PASSWORD": "canary-parts",
}


def test_the_workspace_without_anything_is_the_embedded_one() -> None:
    assert load_settings().workspace is None


@pytest.mark.parametrize("neon", [{"NEON_DATABASE_URL": SECRETS["NEON_DATABASE_URL"]}, PARTS])
def test_the_workspace_with_both(monkeypatch: pytest.MonkeyPatch, neon: dict[str, str]) -> None:
    for name, value in {**neon, "SUPABASE_DATABASE_URL": "postgresql://u:canary@w/desk"}.items():
        monkeypatch.setenv(name, value)
    workspace = load_settings().workspace
    assert workspace
    assert (workspace.params["host"], workspace.params["dbname"]) == ("w", "desk")
    monkeypatch.setenv("OUTREACH_EMBEDDED_ONLY", "1")
    assert load_settings().workspace is None, "the demo touches no service"


@pytest.mark.parametrize("neon", [{"NEON_DATABASE_URL": SECRETS["NEON_DATABASE_URL"]}, PARTS])
def test_neon_without_a_workspace_is_no_reason_for_a_stand_in(
    monkeypatch: pytest.MonkeyPatch, neon: dict[str, str]
) -> None:
    for name, value in neon.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    said = f"{next(iter(neon))} is set and SUPABASE_DATABASE_URL is not"
    with pytest.raises(UsageError, match=said) as caught:
        _ = settings.workspace
    assert "canary" not in str(caught.value)
    assert settings.neon, "snapshots need no workspace"


def test_a_workspace_without_neon_is_no_place_for_sample_records(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SUPABASE_DATABASE_URL", SECRETS["SUPABASE_DATABASE_URL"])
    with pytest.raises(UsageError, match="is set and NEON_DATABASE_URL is not") as caught:
        _ = load_settings().workspace
    assert "canary" not in str(caught.value)


def test_a_workspace_that_is_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEON_DATABASE_URL", SECRETS["NEON_DATABASE_URL"])
    monkeypatch.setenv("SUPABASE_DATABASE_URL", "https://canary.supabase.co")
    with pytest.raises(UsageError, match="SUPABASE_DATABASE_URL") as caught:
        _ = load_settings().workspace
    assert "canary" not in str(caught.value)


def test_the_webhook(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().n8n_webhook is None
    monkeypatch.setenv("N8N_WEBHOOK_URL", SECRETS["N8N_WEBHOOK_URL"])
    assert load_settings().n8n_webhook == SECRETS["N8N_WEBHOOK_URL"]
    monkeypatch.setenv("OUTREACH_EMBEDDED_ONLY", "1")
    assert load_settings().n8n_webhook is None, "the demo tells nobody"


def test_buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S3_BUCKET", "mine-s3")
    assert load_settings().bucket == "mine-s3"
    monkeypatch.setenv("B2_KEY_ID", "key")
    assert load_settings().bucket == DEFAULT_BUCKET
    monkeypatch.setenv("B2_BUCKET", "mine-b2")
    assert load_settings().bucket == "mine-b2"
    assert load_settings(embedded_only=True).bucket == DEFAULT_BUCKET
    assert load_settings().configured_services == ["B2_KEY_ID", "S3_BUCKET"]


def test_toml_overrides_single_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = from_toml(
        monkeypatch,
        tmp_path,
        "[gates]\nrow_delta = 0.5\n[states.PA]\nbad_ratio = 0.42\n[locks]\nwait_seconds = 0\n",
    )
    assert settings.toml.gates == GateThresholds(bad_ratio=0.15, row_delta=0.5, row_delta_floor=50)
    assert settings.gate_thresholds("PA") == GateThresholds(bad_ratio=0.42, row_delta=0.5)
    assert settings.gate_thresholds("WV") == GateThresholds(row_delta=0.5)
    assert settings.toml.locks.wait_seconds == 0
    assert settings.toml.pull == TomlSettings().pull


def test_everything_is_kept_unless_days_are_given(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert load_settings().toml.retention.keeps_everything
    retention = from_toml(monkeypatch, tmp_path, "[retention]\nrun_days = 90\n").toml.retention
    assert (retention.run_days, retention.lake_days) == (90, None)
    assert not retention.keeps_everything


@pytest.mark.parametrize("key", ["pa", "Pennsylvania", "' PA '"])
def test_a_state_is_read_in_any_spelling(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, key: str
) -> None:
    settings = from_toml(monkeypatch, tmp_path, f"[states.{key}]\nbad_ratio = 0.42\n")
    assert settings.gate_thresholds("PA").bad_ratio == 0.42


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("[gates]\nbad = 0.2", "gates.bad: "),
        ("[gates]\nbad_ratio = 'x'", "gates.bad_ratio: "),
        ("[gates]\nbad_ratio = 15", "gates.bad_ratio: "),
        ("[gates]\nbad_ratio = -0.1", "gates.bad_ratio: "),
        ("[gates]\nbad_ratio = nan", "gates.bad_ratio: "),
        ("[gates]\nbad_ratio = true", "gates.bad_ratio: "),
        ("[gates]\nrow_delta = 30", "gates.row_delta: "),
        ("[gates]\nrow_delta = inf", "gates.row_delta: "),
        ("[gates]\nrow_delta_floor = 0", "gates.row_delta_floor: "),
        ("[states.PA]\nbad_ratio = 42", "states.PA.bad_ratio: "),
        ("[states.PA]\nlimit = 42", "states.PA.limit: "),
        ("[states.TX]\nbad_ratio = 0.2", "states: 'TX' is no state we serve"),
        ("[states]\nPA.bad_ratio = 0.2\npa.bad_ratio = 0.3", "states: PA stands there twice"),
        ("gates = 1", "gates: "),
        ("states = 1", "states: "),
        ("[pull]\nmemory_limit = 'lots'", "pull.memory_limit: "),
        ("[pull]\nthreads = 0", "pull.threads: "),
        ("[pull]\nschema_name = ''", "pull.schema_name: "),
        ("[locks]\nwait_seconds = -1", "locks.wait_seconds: "),
        *(
            (f"[retention]\nlake_days = {days}", "retention.lake_days: must be a whole number")
            for days in ("0", "-1", "1.5", "true", "'7'", "36501")
        ),
        ("[retention]\nlake_dayz = 7", "retention.lake_dayz: "),
        ("password = 'canary'", "password: "),
        ("[gates", "is no valid TOML"),
    ],
)
def test_wrong_toml_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, where: str
) -> None:
    with pytest.raises(UsageError) as caught:
        from_toml(monkeypatch, tmp_path, text)
    assert str(caught.value).startswith(str(tmp_path / "own.toml"))
    assert where in str(caught.value)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("kind", ["missing", "folder", "bytes"])
def test_a_toml_that_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "own.toml"
    if kind == "folder":
        path.mkdir()
    elif kind == "bytes":
        path.write_bytes(b"\xff\xfe\x00")
    monkeypatch.setenv("OUTREACH_SETTINGS", str(path))
    with pytest.raises(UsageError, match=r"own\.toml"):
        load_settings()


def test_secrets_show_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    texts: list[Any] = [repr(settings), str(settings), settings.model_dump_json()]
    texts += [str(settings.model_dump()), repr(settings.neon), settings.configured_services]
    assert "canary" not in str(texts)
    for secret in SECRETS.values():
        name = secret.rpartition("canary-")[2].partition("@")[0]
        assert redact(f"x canary-{name} y" if "@" in secret else secret).count("***") == 1


@pytest.mark.slow
def test_settings_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().data_dir = Path()  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.slow
def test_until() -> None:
    assert parse_until("2026-02-28") == date(2026, 2, 28)
    for text in ("", "tomorrow", "2026-02-30", "28.02.2026"):
        with pytest.raises(UsageError, match="YYYY-MM-DD"):
            parse_until(text)


def test_secrets_may_come_as_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "B2_KEY_ID").write_text("from-a-file\n", encoding="utf-8")
    (tmp_path / "NEON_DATABASE_URL").write_text(
        "postgresql://ann:secret-in-file@h/d", encoding="utf-8"
    )
    monkeypatch.setenv("OUTREACH_SECRETS_DIR", str(tmp_path))
    settings = load_settings()
    assert settings.b2_key_id == "from-a-file"
    assert settings.neon
    assert settings.neon.params["password"] == "secret-in-file"
    assert "secret-in-file" not in redact("the password secret-in-file")
    monkeypatch.setenv("B2_KEY_ID", "from-the-environment")
    assert load_settings().b2_key_id == "from-the-environment"


def test_secrets_that_are_in_no_folder_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OUTREACH_SECRETS_DIR", str(tmp_path / "none"))
    with pytest.raises(UsageError, match=r"OUTREACH_SECRETS_DIR names .*none, which is no folder"):
        load_settings()
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "B2_KEY_ID").write_bytes(b"\xff\xfe\xfa")
    monkeypatch.setenv("OUTREACH_SECRETS_DIR", str(tmp_path / "secrets"))
    with pytest.raises(UsageError, match=r"b2_key_id.*OUTREACH_SECRETS_DIR is .*secrets"):
        load_settings()
