"""`outreach alerts test` from its arguments to its exit code."""

import json
import os
from pathlib import Path

import pytest

from outreach_platform.cli import run
from outreach_platform_tests.support.postgres import free_port
from outreach_platform_tests.support.product import without_configuration
from outreach_platform_tests.support.webhooks import SECRET, listening, says


@pytest.fixture(autouse=True)
def unconfigured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in set(os.environ) - set(without_configuration()):
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OUTREACH_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def test_a_test_message_arrives(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with listening(says(200)) as (url, heard):
        monkeypatch.setenv("ALERT_WEBHOOK_URL", url)
        assert run(["alerts", "test", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["results"]
    assert (row["variable"], row["status"]) == ("ALERT_WEBHOOK_URL", "sent")
    assert json.loads(heard[0]["body"])["event"] == "test"


def test_a_webhook_that_refuses_is_named_and_is_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SLACK_WEBHOOK_URL", f"http://127.0.0.1:{free_port()}/{SECRET}")
    assert run(["alerts", "test"]) == 1
    said = capsys.readouterr()
    assert "no connection" in said.out
    assert "hook-5f1c9e" not in said.out + said.err


def test_without_a_webhook_it_is_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["alerts", "test"]) == 2
    assert "SLACK_WEBHOOK_URL and ALERT_WEBHOOK_URL" in capsys.readouterr().err
