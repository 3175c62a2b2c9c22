"""The log file: redacted in every form, rotated, shared by processes. Redaction by itself, too."""

import logging
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import pytest

from outreach_platform.foundation import logs
from outreach_platform.foundation.errors import OutreachError
from outreach_platform.foundation.logs import LOGGER, log_to_file
from outreach_platform.foundation.redaction import (
    mask_email,
    mask_emails_in,
    mask_phone,
    redact,
    register_secret,
)

SECRET = "canary/s3cr3t'pw ü%"
register_secret(SECRET)
log = logging.getLogger(f"{LOGGER}.tests")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    logger = logging.getLogger(LOGGER)
    before = logger.handlers[:], logger.level
    logger.handlers.clear()
    yield tmp_path / "logs"
    for handler in logger.handlers:
        handler.close()
    logger.handlers[:], level = before
    logger.setLevel(level)


def raising(error: Exception) -> None:
    try:
        raise error
    except Exception:
        log.exception("it failed with %s", SECRET)


class Talkative:
    """Shows a secret when it is formatted."""

    def __repr__(self) -> str:
        return f"<{SECRET}>"


def test_a_secret_reaches_the_file_in_no_form(folder: Path) -> None:
    path = log_to_file(folder, "DEBUG")
    encoded = quote(SECRET, safe="")
    log.info(f"plain {SECRET}")
    log.info("argument %s and %r", SECRET, SECRET)
    log.info("dictionary %(a)s", {"a": SECRET})
    log.info("object %s", Talkative())
    log.debug("url postgresql://u:%s@h/db and redis://:%s@h", encoded, encoded)
    log.info("conninfo host=h password='%s' user=u", SECRET.replace("'", "\\'"))
    log.info("conninfo password=canary-other host=h; NEON_PASSWORD=canary-env PGPASSWORD=canary-pg")
    log.info("%s", {"password": "canary-dict", "user": "u"})
    log.info("postgresql://u:canary@raw@h/db postgresql://u:canary/raw@h/db")
    log.info("wrong arguments %s %d", SECRET, "x")
    log.info("with the stack", stack_info=True)
    raising(ValueError(f"inside {SECRET}"))
    try:
        raise OutreachError(f"failed at postgresql://u:{encoded}@h/db") from ValueError(SECRET)
    except OutreachError:
        log.warning("chained", exc_info=True)
    text = path.read_text(encoding="utf-8")
    assert "canary" not in text
    assert text.count("***") >= 15
    assert "Traceback" in text
    assert "ValueError: inside ***" in text
    assert "user=u" in text
    assert "'user': 'u'" in text


def test_lines_are_useful(folder: Path) -> None:
    path = log_to_file(folder)
    log.debug("not this")
    log.info("this %d", 7)
    logging.getLogger("elsewhere").warning("not that")
    (line,) = path.read_text().splitlines()
    assert line.endswith("outreach_platform.tests: this 7")
    assert " INFO " in line


def test_twice_is_once_and_elsewhere_moves(folder: Path) -> None:
    first = log_to_file(folder)
    assert log_to_file(folder) == first
    log.info("once")
    second = log_to_file(folder / "other", name="second")
    log.info("moved")
    assert first.read_text().count("once") == 1
    assert "moved" not in first.read_text()
    assert "moved" in second.read_text()


def test_rotation_at_the_start(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_BYTES", 100)
    folder.mkdir()
    for number in range(9):
        path = log_to_file(folder)
        log.info("start %d %s", number, "x" * 200)
        handlers = logging.getLogger(LOGGER).handlers
        handlers.pop().close()
    kept = sorted(entry.name for entry in folder.iterdir())
    assert kept == ["outreach.log", *(f"outreach.log.{n}" for n in range(1, 6))]
    assert "start 8" in path.read_text()
    assert "start 3" in (folder / "outreach.log.5").read_text()


def test_processes_that_rotate_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_BYTES", 1)
    folder.mkdir()
    path = folder / "outreach.log"
    for _ in range(20):
        for name in ("outreach.log", "outreach.log.1", "outreach.log.2"):
            (folder / name).write_text("full")
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(logs._rotate, [path] * 8))


_LOG = """
import logging, sys
from pathlib import Path
from outreach_platform.foundation.logs import log_to_file
log_to_file(Path(sys.argv[1]))
for number in range(500):
    logging.getLogger("outreach_platform.x").info("%s %d %s", sys.argv[2], number, "y" * 300)
"""


@pytest.mark.slow
def test_several_processes_share_a_file(folder: Path) -> None:
    started = [subprocess.Popen([sys.executable, "-c", _LOG, str(folder), n]) for n in "abc"]
    assert [process.wait(120) for process in started] == [0, 0, 0]
    lines = (folder / "outreach.log").read_text().splitlines()
    assert len(lines) == 1500
    found = {tuple(line.split(": ", 1)[1].split(" ")[:2]) for line in lines}
    assert found == {(name, str(number)) for name in "abc" for number in range(500)}
    assert all(line.endswith("y" * 300) for line in lines)


@pytest.mark.parametrize("rotated", ["outreach.log", None])
def test_a_log_that_was_moved_away_begins_anew(folder: Path, rotated: str | None) -> None:
    path = log_to_file(folder)
    log.info("first")
    if rotated:
        path.rename(folder / "moved")
    else:
        path.unlink()
    log.info("second")
    assert "second" in path.read_text()


@pytest.mark.parametrize(
    ("value", "masked"),
    [
        (None, None),
        ("", ""),
        ("  ", "  "),
        ("ann.lee@example.org", "a***@e***.org"),
        (" a@b.c ", "a***@b***.c"),
        ("李@例え.jp", "李***@例***.jp"),
        ("no mail", "***"),
        ("ann@localhost", "***"),
        ("@x.org", "***"),
        ("ann@.org", "***"),
        ("ann@x.", "***"),
        ("ann@x.org and a secret", "***"),
        ("ann@x.org@private", "***"),
        ("ann@x.o.12345", "***"),
    ],
)
def test_emails_are_masked(value: str | None, masked: str | None) -> None:
    assert mask_email(value) == masked


@pytest.mark.parametrize(
    ("value", "masked"),
    [(None, None), ("", ""), ("+13045551234", "***34"), ("(304) 555-01", "***01"), ("12", "***")],
)
def test_phones_are_masked(value: str | None, masked: str | None) -> None:
    assert mask_phone(value) == masked


def test_emails_in_a_text() -> None:
    text = 'Key (email)=(ann.lee@x.org) and <bob@y.example>, "c@d.ef"; not @this or a@b'
    masked = mask_emails_in(text)
    assert "ann.lee" not in masked
    assert "bob" not in masked
    assert "not @this or a@b" in masked


def test_short_secrets_do_not_blank_ordinary_words() -> None:
    register_secret("abc")
    register_secret("")
    register_secret(None)
    assert redact("abc of abcdef") == "abc of abcdef"


@pytest.mark.parametrize(
    "text",
    [
        "the password or the user is wrong",
        "special characters of the password percent-encoded",
        "https://host:8080/path and http://h/x?y=1",
        "mail ann@example.org",
        "postgresql://user@host:5432/db",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


def test_redacting_twice_changes_nothing() -> None:
    once = redact(f"postgresql://u:pw12@h/db password='a b' {SECRET}")
    assert redact(once) == once
    assert once == "postgresql://u:***@h/db password=*** ***"
