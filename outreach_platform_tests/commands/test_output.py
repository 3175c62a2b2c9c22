"""What goes to stdout and what to stderr, and how rows look."""

import json

import pytest

from outreach_platform.commands import output

STATES = [
    {"state": "WV", "status": "published", "rows": 1234, "problems": [], "age": None},
    {"state": "PA", "status": "failed", "rows": 0, "problems": ["one", "two"], "age": "2 d"},
]
EXPORT = {
    "export": "behavioral_events",
    "status": "exported",
    "version": "20260310_120000",
    "rows": 1234567,
    "users": 12,
    "empty": True,
    "first": None,
    "research": "view",
    "message": "all [red]events[/red] are valid",
    "file": "/data/" + "long/" * 60 + "x.parquet",
}


def test_json_is_one_object_with_the_same_columns(capsys: pytest.CaptureFixture[str]) -> None:
    output.result([*STATES, EXPORT], as_json=True)
    out, err = capsys.readouterr()
    assert json.loads(out) == {"results": [*STATES, EXPORT]}
    assert err == ""


def test_rows_alike_make_a_table_and_a_long_one_a_list(capsys: pytest.CaptureFixture[str]) -> None:
    output.result([*STATES, EXPORT], as_json=False)
    out = capsys.readouterr().out
    lines = [line.split() for line in out.splitlines() if line.strip(" ─")]
    assert lines[0] == ["state", "status", "rows", "problems", "age"]
    assert lines[1] == ["WV", "published", "1,234", "-"]
    assert lines[2] == ["PA", "failed", "0", "one;", "two", "2", "d"]
    assert lines[3] == ["export", "behavioral_events"]
    assert ["rows", "1,234,567"] in lines
    assert ["empty", "yes"] in lines
    assert ["first", "-"] in lines


def test_nothing_of_a_value_is_lost_or_taken_for_markup(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    output.result([EXPORT], as_json=False)
    out = capsys.readouterr().out
    assert "all [red]events[/red] are valid" in out
    assert "".join(part.strip() for part in out.splitlines()).count("long/") >= 58
    assert str(EXPORT["file"]) in "".join(
        line.removeprefix("file").strip() for line in out.splitlines()[-8:]
    )


def test_a_short_single_row_stays_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    output.result(STATES[:1], as_json=False)
    first = next(line for line in capsys.readouterr().out.splitlines() if line.strip())
    assert first.split() == ["state", "status", "rows", "problems", "age"]


def test_no_rows_print_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    output.result([], as_json=False)
    assert capsys.readouterr().out == ""


def test_progress_and_messages_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with output.progress("begin") as progress:
        progress("events: writing [the] export")
    output.warning("few users")
    output.interrupted()
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "events: writing [the] export",
        "warning: few users",
        "interrupted; the next run finishes or removes what was left",
    ]
