"""How messages look, and what must not be in them."""

from datetime import UTC, datetime

import pytest

from outreach_platform.foundation.redaction import register_secret
from outreach_platform.operations.alerts.incidents import Book, Message, advance
from outreach_platform.operations.alerts.messages import plain, slack
from outreach_platform.operations.problems import Problem

START = datetime(2026, 3, 2, 10, tzinfo=UTC)
BASE = "http://127.0.0.1:3000"


def opened(message: str = "K1 TRIGGERED: 40.0% > 15.0%", subject: str = "WV") -> Message:
    found = [Problem("kill_switch", subject, message, "mend the rows", run_id="run-1")]
    return advance(Book(), found, START)[1][0]


def cleared() -> Message:
    book, _ = advance(Book(), [Problem("kill_switch", "WV", "K1", "mend", run_id="run-1")], START)
    return advance(book, [], START)[1][0]


def slack_text(message: Message, base: str | None = BASE) -> str:
    blocks = slack(message, base)["blocks"]
    return "\n".join([blocks[0]["text"]["text"], blocks[1]["elements"][0]["text"]])


def test_plain_json_has_state_reason_action_and_link() -> None:
    assert plain(opened(), BASE + "/") == {
        "id": "1-opened",
        "event": "opened",
        "kind": "kill_switch",
        "subject": "WV",
        "severity": "error",
        "message": "K1 TRIGGERED: 40.0% > 15.0%",
        "action": "mend the rows",
        "run_id": "run-1",
        "run_url": f"{BASE}/runs/run-1",
        "at": "2026-03-02T10:00:00+00:00",
        "opened_at": "2026-03-02T10:00:00+00:00",
    }


def test_slack_has_state_reason_action_and_link() -> None:
    text = slack_text(opened())
    assert "*kill_switch: WV*" in text
    assert "K1 TRIGGERED: 40.0% &gt; 15.0%" in text
    assert "*What to do:* mend the rows" in text
    assert f"<{BASE}/runs/run-1|the run>" in text
    assert "since 2026-03-02 10:00 UTC" in text


def test_the_end_says_that_it_is_over() -> None:
    text = slack_text(cleared())
    assert "*over: kill_switch: WV*" in text
    assert "What to do" not in text
    assert plain(cleared(), None)["event"] == "cleared"


def test_there_is_no_link_where_no_address_is_known() -> None:
    assert plain(opened(), None)["run_url"] is None
    assert "|the run>" not in slack_text(opened(), None)


@pytest.mark.parametrize("mark", ["<!channel>", "<https://evil.example|here>", "a & b"])
def test_slacks_own_marks_are_text(mark: str) -> None:
    text = slack_text(opened(mark, subject=mark), None)
    assert mark not in text
    assert mark not in slack(opened(mark), None)["text"]


@pytest.mark.parametrize(
    "private",
    [
        "ann.lee@example.org",
        "+1 304 555 0123",
        "+13045550123",
        "(304) 555-0123",
        "304-555-0123",
        "postgresql://reader:hush-hush-1@host/db",
        "password=hush-hush-1",
        "canary-secret-9",
    ],
)
def test_secrets_and_personal_data_do_not_get_out(private: str) -> None:
    register_secret("canary-secret-9")
    bare = private.removeprefix("postgresql://reader:").removeprefix("password=").split("@host")[0]
    message = opened(f"row of {private} was refused", subject=f"WV {private}")
    for form in (plain, slack):
        assert bare not in str(form(message, BASE))


def test_figures_and_versions_stay_readable() -> None:
    text = "20260302100000 is not published: K2 TRIGGERED: Row delta 1,234,567 of 3045550123"
    assert plain(opened(text), None)["message"] == text


def test_long_and_broken_reasons_are_one_short_line() -> None:
    said = plain(opened("x\n\ty " * 500), None)["message"]
    assert "\n" not in said
    assert len(said) == 400
    assert all(len(b["text"]["text"]) < 3000 for b in slack(opened("&" * 5000), None)["blocks"][:1])
