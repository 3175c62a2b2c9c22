"""From a look to a webhook and back: real servers, real files, real second processes."""

import json
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from outreach_platform.foundation.locks import locked
from outreach_platform.operations.alerts import delivery
from outreach_platform.operations.alerts.delivery import (
    LATE_ENOUGH,
    Report,
    book_path,
    round_of_alerts,
)
from outreach_platform.operations.problems import Problem, Severity
from outreach_platform.settings import Settings
from outreach_platform.settings_toml import AlertSettings, TomlSettings
from outreach_platform_tests.support.postgres import ROOT, free_port
from outreach_platform_tests.support.webhooks import SECRET, Answer, listening, says

START = datetime(2026, 3, 2, 10, tzinfo=UTC)
WV = Problem("run_failed", "snapshot_job WV", "it broke", "mend it", run_id="run-1")
PA = Problem("kill_switch", "PA", "K1 TRIGGERED", "mend the rows")
WARNING = Problem("stale", "MD", "two days old", "run it", Severity.WARNING)


@pytest.fixture(autouse=True)
def no_proxy_and_no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(delivery, "PAUSE_SECONDS", 0.01)


def settings_of(
    data_dir: Path, url: str | None, *, slack: str | None = None, severity: Any = "error"
) -> Settings:
    return Settings.model_construct(
        data_dir=data_dir,
        embedded_only=False,
        public_url="http://127.0.0.1:3000",
        alert_webhook_url=SecretStr(url) if url else None,
        slack_webhook_url=SecretStr(slack) if slack else None,
        toml=TomlSettings(alerts=AlertSettings(severity=severity)),
    )


def tick(settings: Settings, *problems: Problem, turn: int = 0, timeout: float = 5) -> Report:
    now = START + turn * timedelta(seconds=30)
    return round_of_alerts(settings, lambda: problems, now=now, timeout_seconds=timeout)


def bodies(heard: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [json.loads(request["body"]) for request in heard]


def told(heard: list[dict[str, Any]]) -> list[str]:
    return [f"{body['event']} {body['subject']}" for body in bodies(heard)]


def test_a_fault_is_sent_once_and_its_end_once(tmp_path: Path) -> None:
    with listening(says(200)) as (url, heard):
        settings = settings_of(tmp_path, url)
        for turn, found in enumerate([[WV], [WV], [WV, PA], [PA], []]):
            tick(settings, *found, turn=turn)
    assert told(heard) == [
        *("opened snapshot_job WV", "opened PA", "cleared snapshot_job WV", "cleared PA"),
    ]
    assert bodies(heard)[0]["run_url"] == "http://127.0.0.1:3000/runs/run-1"


def test_slack_and_the_webhook_each_get_their_form(tmp_path: Path) -> None:
    with listening(says(200)) as (url, heard), listening(says(200)) as (slack, slack_heard):
        report = tick(settings_of(tmp_path, url, slack=slack), WV)
    assert report == Report(new=1, sent=2)
    assert told(heard) == ["opened snapshot_job WV"]
    assert [sorted(body) for body in bodies(slack_heard)] == [["blocks", "text"]]


@pytest.mark.parametrize(("severity", "sent"), [("error", 1), ("warning", 2)])
def test_warnings_are_sent_where_settings_say_so(tmp_path: Path, severity: str, sent: int) -> None:
    with listening(says(200)) as (url, heard):
        tick(settings_of(tmp_path, url, severity=severity), WV, WARNING)
    assert len(heard) == sent


def test_a_webhook_that_is_down_gets_everything_later_in_order(tmp_path: Path) -> None:
    down = settings_of(tmp_path, f"http://127.0.0.1:{free_port()}/{SECRET}")
    for turn, found in enumerate([[WV], [WV, PA], [PA]]):
        report = tick(down, *found, turn=turn)
        assert (report.sent, report.waiting) == (0, turn + 1)
        (warning,) = report.warnings
        assert "no connection" in warning
        assert "ALERT_WEBHOOK_URL" in warning
        assert "hook-5f1c9e" not in warning
    with listening(says(200)) as (url, heard):
        assert tick(settings_of(tmp_path, url), PA, turn=3).waiting == 0
    assert told(heard) == [
        *("opened snapshot_job WV", "opened PA", "cleared snapshot_job WV"),
    ]


@pytest.mark.parametrize(
    ("answer", "requests", "reason"),
    [(says(500), 2, "it answered 500"), (says(404), 1, "it answered 404")],
)
def test_a_refusal_keeps_the_message(
    tmp_path: Path, answer: Answer, requests: int, reason: str
) -> None:
    with listening(answer) as (url, heard):
        report = tick(settings_of(tmp_path, url), WV, PA)
    assert len(heard) == requests, "what is behind the first message is not tried"
    assert report.waiting == 2
    assert reason in report.warnings[0]


def test_one_webhook_that_is_down_does_not_hold_up_the_other(tmp_path: Path) -> None:
    with listening(says(500)) as (slack, _), listening(says(200)) as (url, heard):
        settings = settings_of(tmp_path, url, slack=slack)
        tick(settings, WV)
        tick(settings, WV, turn=1)
    assert told(heard) == ["opened snapshot_job WV"]


def test_a_webhook_that_always_answers_late_is_not_told_for_ever(tmp_path: Path) -> None:
    over = threading.Event()
    with listening(lambda handler, turn: over.wait(20) and None) as (url, heard):
        settings = settings_of(tmp_path, url)
        for turn in range(LATE_ENOUGH + 2):
            report = tick(settings, WV, turn=turn, timeout=0.1)
        over.set()
    assert told(heard) == ["opened snapshot_job WV"] * LATE_ENOUGH
    assert len({body["id"] for body in bodies(heard)}) == 1, "a program can tell them apart"
    assert report.waiting == 0


@pytest.mark.parametrize("url", ["not an address", f"ftp://127.0.0.1/{SECRET}"])
def test_what_is_no_address_is_a_warning(tmp_path: Path, url: str) -> None:
    (warning,) = tick(settings_of(tmp_path, url), WV).warnings
    assert "no web address" in warning
    assert url not in warning


def test_a_look_that_fails_clears_nothing(tmp_path: Path) -> None:
    def broken() -> list[Problem]:
        raise RuntimeError("the instance is locked")

    with listening(says(200)) as (url, heard):
        settings = settings_of(tmp_path, url)
        tick(settings, WV)
        with pytest.raises(RuntimeError):
            round_of_alerts(settings, broken, now=START)
        tick(settings, WV, turn=1)
    assert told(heard) == ["opened snapshot_job WV"]


def test_a_damaged_book_is_put_aside_and_what_is_wrong_told_again(tmp_path: Path) -> None:
    with listening(says(200)) as (url, heard):
        settings = settings_of(tmp_path, url)
        tick(settings, WV)
        book_path(tmp_path).write_text("{", encoding="utf-8")
        tick(settings, WV, turn=1)
    assert told(heard) == ["opened snapshot_job WV"] * 2
    assert book_path(tmp_path).with_suffix(".damaged.json").read_text(encoding="utf-8") == "{"


def test_nothing_is_written_while_nothing_changes(tmp_path: Path) -> None:
    with listening(says(200)) as (url, _):
        settings = settings_of(tmp_path, url)
        tick(settings, WV)
        before = book_path(tmp_path).stat().st_ino
        assert tick(settings, WV, turn=1) == Report()
        assert book_path(tmp_path).stat().st_ino == before


def test_a_second_process_at_the_same_time_does_nothing(tmp_path: Path) -> None:
    with listening(says(200)) as (url, heard):
        lock = book_path(tmp_path).with_suffix(".lock")
        with locked(lock, "the book", "another process", 0):
            assert tick(settings_of(tmp_path, url), WV).busy
        assert heard == []
        assert tick(settings_of(tmp_path, url), WV).sent == 1


def test_two_threads_at_the_same_time_send_one_message(tmp_path: Path) -> None:
    with listening(says(200)) as (url, heard):
        settings = settings_of(tmp_path, url)
        together = threading.Barrier(2)

        def run() -> None:
            together.wait()
            tick(settings, WV)

        threads = [threading.Thread(target=run) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert told(heard) == ["opened snapshot_job WV"]


_KILLED = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
from outreach_platform.operations.alerts import delivery
from outreach_platform_tests.operations.alerts.test_delivery import WV, settings_of, tick
delivery.send = lambda *arguments: os._exit(9)
tick(settings_of(Path(sys.argv[1]), sys.argv[2]), WV)
"""


@pytest.mark.slow
def test_what_was_found_before_a_kill_is_sent_after_the_restart(tmp_path: Path) -> None:
    with listening(says(200)) as (url, heard):
        done = subprocess.run(
            [sys.executable, "-c", _KILLED, str(tmp_path), url], check=False, cwd=ROOT
        )
        assert (done.returncode, heard) == (9, [])
        assert tick(settings_of(tmp_path, url), WV, turn=1) == Report(sent=1)
    assert told(heard) == ["opened snapshot_job WV"]


def test_the_rest_waits_once_the_time_of_a_tick_is_used_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(says(200)) as (url, heard):
        settings = settings_of(tmp_path, url)
        monkeypatch.setattr(delivery, "BUDGET_SECONDS", -1.0)
        assert tick(settings, WV).waiting == 1
        monkeypatch.undo()
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert tick(settings, WV, turn=1).sent == 1
    assert len(heard) == 1
