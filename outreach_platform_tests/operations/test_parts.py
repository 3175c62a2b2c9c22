"""Logs that stay small, and a part that keeps ending."""

import subprocess
import sys
from pathlib import Path

import pytest

from outreach_platform.foundation.errors import OutreachError
from outreach_platform.operations import parts
from outreach_platform.operations.parts import Parts, _rotate


def test_a_big_log_is_moved_aside_while_its_writer_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "daemon.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"x" * 100)
        _rotate(log, limit=100)
        assert log.stat().st_size == 100  # not yet over the limit
        writer.write(b"y")
        _rotate(log, limit=100)
        writer.write(b"z")
    assert log.read_bytes() == b"z"
    assert (tmp_path / "daemon.log.1").read_bytes() == b"x" * 100 + b"y"


def test_a_part_that_keeps_ending_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = Parts(tmp_path, tmp_path, "no.module", "127.0.0.1", 3000)
    some.logs.mkdir()
    part = some._parts[0]
    (some.logs / f"{part.name}.log").write_text("first\nthe last word\n")

    def start_and_end(part: parts._Part) -> None:
        part.process = subprocess.Popen([sys.executable, "-c", "raise SystemExit(7)"])
        part.process.wait()

    monkeypatch.setattr(some, "_start", start_and_end)
    start_and_end(part)
    for _ in range(parts.RESTARTS):
        some.look_after()
    with pytest.raises(OutreachError, match=r"code_server ended 4 times.*code 7 \(the last word\)"):
        some.look_after()
    with pytest.raises(OutreachError, match="code_server ended with code 7 while starting"):
        some.refuse_dead()
    some.end(hurry=lambda: True)
    assert not some.folder.exists()
