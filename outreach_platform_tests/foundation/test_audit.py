"""The audit log: made once, written once, refused in words, kept while the database is away."""

import decimal
import json
import math
import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from psycopg2 import sql

from outreach_platform.foundation import audit
from outreach_platform.foundation.audit import (
    AuditEvent,
    ensure_table,
    flush_spool,
    spool,
    write_event,
    write_or_spool,
)
from outreach_platform.foundation.errors import OutreachError, SourceError, SourceUnavailableError
from outreach_platform.foundation.postgres.connection import connect
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform_tests.support.postgres import execute, fetch, free_port

FACTS_DDL = (
    "CREATE SCHEMA shq; CREATE TABLE shq.audit_log (id serial PRIMARY KEY, event_type varchar(255) "
    "NOT NULL, event_source varchar(255) NOT NULL, details jsonb, "
    "created_at timestamp DEFAULT now())"
)


def event(state: str = "WV", **details: Any) -> AuditEvent:
    return AuditEvent(
        event_type="outreach_snapshot",
        event_source="state_duckdb_pipeline",
        details={"state": state, "snapshot_version": "20250301093000", **details},
        identity=("state", "snapshot_version"),
    )


def count(url: DatabaseUrl) -> int:
    return fetch(url, "SELECT count(*) FROM shq.audit_log")[0][0]


@pytest.fixture
def away() -> DatabaseUrl:
    return DatabaseUrl({"host": "127.0.0.1", "port": str(free_port()), "dbname": "x", "user": "u"})


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    from tenacity import wait_none

    from outreach_platform.foundation.postgres import connection

    monkeypatch.setattr(connection.open_connection.retry, "wait", wait_none())  # pyright: ignore


def test_the_table_is_made_as_the_contract_says(neon_url: DatabaseUrl) -> None:
    number = write_event(neon_url, event(companies_good=3))
    assert number == 1
    columns = fetch(
        neon_url,
        "SELECT column_name, data_type, character_maximum_length, is_nullable, column_default "
        "FROM information_schema.columns WHERE table_schema = 'shq' ORDER BY ordinal_position",
    )
    assert columns == [
        ("id", "integer", None, "NO", "nextval('shq.audit_log_id_seq'::regclass)"),
        ("event_type", "character varying", 255, "NO", None),
        ("event_source", "character varying", 255, "NO", None),
        ("details", "jsonb", None, "YES", None),
        ("created_at", "timestamp with time zone", None, "YES", "now()"),
    ]
    rows = fetch(neon_url, "SELECT event_type, event_source, details FROM shq.audit_log")
    assert rows == [
        (
            "outreach_snapshot",
            "state_duckdb_pipeline",
            {"state": "WV", "snapshot_version": "20250301093000", "companies_good": 3},
        )
    ]


def test_an_existing_table_is_used_as_it_is(neon_url: DatabaseUrl) -> None:
    execute(neon_url, FACTS_DDL)
    execute(neon_url, "ALTER TABLE shq.audit_log ADD COLUMN note text, ALTER details TYPE json")
    assert write_event(neon_url, event()) == write_event(neon_url, event()) == 1
    assert count(neon_url) == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("DROP COLUMN details", "details should be jsonb"),
        ("ALTER details TYPE text", "details should be jsonb"),
        ("RENAME event_type TO kind", "event_type should be character varying"),
        ("DROP COLUMN id", "id should be integer"),
        ("ALTER id TYPE text", "id should be integer"),
        ("ALTER id DROP DEFAULT", "id has no default"),
        ("ADD COLUMN tenant int NOT NULL", "tenant has no default"),
    ],
)
def test_another_shape_is_refused_by_name(neon_url: DatabaseUrl, change: str, said: str) -> None:
    execute(neon_url, FACTS_DDL)
    execute(neon_url, f"ALTER TABLE shq.audit_log {change}")
    with pytest.raises(SourceError, match=r"shq\.audit_log exists with another shape") as caught:
        write_event(neon_url, event())
    assert said in str(caught.value)
    assert count(neon_url) == 0


def test_two_at_once_make_one_table(neon_url: DatabaseUrl) -> None:
    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda n: write_event(neon_url, event(str(n))), range(16)))
    assert sorted(filter(None, ids)) == sorted(set(ids), key=lambda i: i or 0)
    assert count(neon_url) == 16


_WRITE = """
import json, sys
from outreach_platform.foundation.audit import AuditEvent, write_event
from outreach_platform.foundation.postgres.url import DatabaseUrl
url = DatabaseUrl(json.loads(sys.argv[1]))
for n in range(20):
    details, identity = {"n": n}, ("n",)
    write_event(
        url, AuditEvent(event_type="t", event_source="s", details=details, identity=identity)
    )
"""


@pytest.mark.slow
def test_the_same_rows_from_several_processes_stand_once(neon_url: DatabaseUrl) -> None:
    command = [sys.executable, "-c", _WRITE, json.dumps(neon_url.params)]
    started = [subprocess.Popen(command) for _ in range(4)]
    assert [process.wait(120) for process in started] == [0, 0, 0, 0]
    rows = fetch(neon_url, "SELECT details->>'n', count(*) FROM shq.audit_log GROUP BY 1")
    assert sorted(rows) == sorted((str(n), 1) for n in range(20))


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "x",
        5,
        1.0,
        1e300,
        True,
        [1, {"b": 2, "a": [None]}],
        {"b": 1, "a": 2},
        "'; --",
        "%s",
    ],
)
def test_identity_of_any_value(neon_url: DatabaseUrl, value: Any) -> None:
    first = write_event(neon_url, event(key=value).model_copy(update={"identity": ("key",)}))
    again = event(other=1, key=value).model_copy(update={"identity": ("key",)})
    assert write_event(neon_url, again) == first
    different = event(key=["another"]).model_copy(update={"identity": ("key",)})
    assert write_event(neon_url, different) != first
    other_source = again.model_copy(update={"event_source": "elsewhere"})
    assert write_event(neon_url, other_source) != first
    assert count(neon_url) == 3


def test_without_identity_each_row_is_new(neon_url: DatabaseUrl) -> None:
    ids = {write_event(neon_url, event().model_copy(update={"identity": ()})) for _ in range(3)}
    assert len(ids) == 3


def test_details_that_json_does_not_know(neon_url: DatabaseUrl, tmp_path: Path) -> None:
    odd = event(
        nan=math.nan,
        infinite=math.inf,
        day=date(2025, 3, 1),
        moment=datetime(2025, 3, 1, tzinfo=UTC),
        amount=decimal.Decimal("1.10"),
        path=Path("/a/b"),
        text="nul\x00 surrogate\ud800 李",
        nested={"set": {1}, "tuple": (1, math.nan), 5: "key"},
        error=ValueError("x"),
    )
    write_event(neon_url, odd)
    (details,) = fetch(neon_url, "SELECT details FROM shq.audit_log")[0]
    assert details["nan"] is details["infinite"] is None
    assert (details["day"], details["amount"], details["path"]) == ("2025-03-01", "1.10", "/a/b")
    assert details["text"] == "nul surrogate? 李"
    assert details["nested"] == {"set": [1], "tuple": [1, None], "5": "key"}
    spool(odd, tmp_path)
    assert flush_spool(neon_url, tmp_path) == 1
    assert count(neon_url) == 1, "the spooled row is the same row"


@pytest.fixture
def restricted(neon_url: DatabaseUrl) -> Iterator[DatabaseUrl]:
    name = f"writer_{uuid.uuid4().hex[:8]}"
    execute(neon_url, f"CREATE ROLE {name} LOGIN")
    yield DatabaseUrl({**neon_url.params, "user": name})
    execute(neon_url, sql.SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(sql.Identifier(name)))


def test_the_least_privileges_are_enough(neon_url: DatabaseUrl, restricted: DatabaseUrl) -> None:
    execute(neon_url, FACTS_DDL)
    role = restricted.params["user"]
    execute(
        neon_url,
        f"GRANT USAGE ON SCHEMA shq TO {role}; GRANT SELECT, INSERT ON shq.audit_log TO {role};"
        f"GRANT USAGE ON SEQUENCE shq.audit_log_id_seq TO {role}",
    )
    assert write_event(restricted, event()) == write_event(restricted, event()) == 1


@pytest.mark.parametrize(
    ("grants", "said"),
    [
        ("", "permission denied for schema shq"),
        ("GRANT USAGE ON SCHEMA shq TO {0}", "permission denied for table audit_log"),
        (
            "GRANT USAGE ON SCHEMA shq TO {0}; GRANT SELECT ON shq.audit_log TO {0}",
            "permission denied for table audit_log",
        ),
        (
            "GRANT USAGE ON SCHEMA shq TO {0}; GRANT SELECT, INSERT ON shq.audit_log TO {0}",
            "permission denied for sequence audit_log_id_seq",
        ),
    ],
)
def test_missing_privileges_are_named(
    neon_url: DatabaseUrl, restricted: DatabaseUrl, grants: str, said: str
) -> None:
    execute(neon_url, FACTS_DDL)
    if grants:
        execute(neon_url, grants.format(restricted.params["user"]))
    with pytest.raises(SourceError, match=f"lacks a privilege \\({said}\\)"):
        write_event(restricted, event())


def test_a_missing_table_that_may_not_be_made(restricted: DatabaseUrl) -> None:
    with pytest.raises(SourceError, match="lacks a privilege"):
        write_event(restricted, event())


def test_spool_and_flush(neon_url: DatabaseUrl, away: DatabaseUrl, tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    assert flush_spool(neon_url, folder) == 0
    with pytest.raises(SourceUnavailableError):
        write_event(away, event())
    for state in ("WV", "PA", "WV"):
        assert write_or_spool(away, event(state), folder) is None
    assert len(list(folder.iterdir())) == 3
    assert flush_spool(away, folder) == 0
    assert len(list(folder.iterdir())) == 3
    assert flush_spool(neon_url, folder) == 3
    assert list(folder.iterdir()) == []
    rows = fetch(neon_url, "SELECT details->>'state' FROM shq.audit_log")
    assert sorted(rows) == [("PA",), ("WV",)]
    assert write_or_spool(neon_url, event("OH"), folder) is not None
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"{", b'{"event_type": 5}', b"\xff"])
def test_a_damaged_spool_file_is_put_aside(
    neon_url: DatabaseUrl, tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    (tmp_path / "0-damaged.json").write_bytes(content)
    spool(event(), tmp_path)
    assert flush_spool(neon_url, tmp_path) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["0-damaged.json.damaged"]
    assert (tmp_path / "0-damaged.json.damaged").read_bytes() == content
    assert "an audit row is lost" in caplog.text
    assert flush_spool(neon_url, tmp_path) == 0


def test_a_refused_row_keeps_no_other_waiting(
    neon_url: DatabaseUrl, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    long = event("OH").model_copy(update={"event_source": "x" * 300})
    for number, kept in enumerate((long, event("WV"), long.model_copy(), event("PA"))):
        spool(kept, tmp_path / "in")
        (path,) = (tmp_path / "in").iterdir()
        path.rename(tmp_path / f"{number}.json")
    assert flush_spool(neon_url, tmp_path) == 2
    assert sorted(path.name for path in tmp_path.glob("*.json")) == ["0.json", "2.json"]
    assert "waits" in caplog.text
    assert "value too long" in caplog.text


def test_two_that_flush_at_once_write_each_row_once(neon_url: DatabaseUrl, tmp_path: Path) -> None:
    for number in range(12):
        spool(event(str(number)), tmp_path)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: flush_spool(neon_url, tmp_path), range(4)))
    assert count(neon_url) == 12
    assert list(tmp_path.iterdir()) == []


def test_a_spool_that_cannot_be_written_is_said(away: DatabaseUrl, tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("a file where the folder should be")
    with pytest.raises((OutreachError, FileExistsError)):
        write_or_spool(away, event(), tmp_path / "spool")


def test_nothing_is_left_of_a_refused_row(neon_url: DatabaseUrl) -> None:
    with pytest.raises(SourceError):
        write_event(neon_url, event().model_copy(update={"event_type": "x" * 300}))
    assert fetch(neon_url, "SELECT to_regclass('shq.audit_log')") == [(None,)]


def test_ensure_table_twice_in_one_transaction(neon_url: DatabaseUrl) -> None:
    with connect(neon_url) as connection:
        ensure_table(connection)
        ensure_table(connection)
    assert count(neon_url) == 0


def test_secrets_are_in_no_spool_file(away: DatabaseUrl, tmp_path: Path) -> None:
    url = DatabaseUrl({**away.params, "password": "canary-audit-pw"})
    write_or_spool(url, event(), tmp_path)
    assert all(b"canary" not in path.read_bytes() for path in tmp_path.iterdir())
    assert audit.AuditEvent.model_config["frozen"]
