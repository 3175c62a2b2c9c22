"""A data folder's layout: stamped, kept, and refused where it is of a newer release."""

import json
from pathlib import Path

import pytest

from outreach_platform import cli
from outreach_platform.foundation.data_layout import LAYOUT, LayoutRecord, require_layout
from outreach_platform.foundation.errors import UsageError
from outreach_platform.foundation.lake import read_record


def stamp(folder: Path, layout: int) -> Path:
    path = folder / "layout.json"
    content = {"layout": layout, "written_by": "9.9.9", "at": "2030-01-01T00:00:00Z"}
    path.write_text(json.dumps(content))
    return path


def test_a_new_folder_is_stamped(tmp_path: Path) -> None:
    require_layout(tmp_path / "data", "1.0")
    assert read_record(tmp_path / "data" / "layout.json", LayoutRecord).layout == LAYOUT


def test_a_folder_from_before_there_was_a_number_is_stamped_and_kept(tmp_path: Path) -> None:
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports" / "mine.parquet").write_bytes(b"mine")
    require_layout(tmp_path, "1.0")
    assert read_record(tmp_path / "layout.json", LayoutRecord).layout == LAYOUT
    assert (tmp_path / "exports" / "mine.parquet").read_bytes() == b"mine"


def test_a_stamp_is_not_written_again(tmp_path: Path) -> None:
    path = stamp(tmp_path, LAYOUT)
    before = path.read_bytes()
    require_layout(tmp_path, "1.0")
    assert path.read_bytes() == before


def test_a_newer_layout_is_refused(tmp_path: Path) -> None:
    stamp(tmp_path, LAYOUT + 1)
    with pytest.raises(UsageError, match=f"has layout {LAYOUT + 1}, written by release 9.9.9"):
        require_layout(tmp_path, "1.0")


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff"])
def test_a_damaged_stamp_is_not_guessed_at(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "layout.json").write_bytes(content)
    with pytest.raises(UsageError, match="until then nothing in"):
        require_layout(tmp_path, "1.0")


def test_a_command_refuses_a_newer_folder_before_it_writes_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stamp(tmp_path, LAYOUT + 1)
    monkeypatch.setenv("OUTREACH_DATA_DIR", str(tmp_path))
    assert cli.run(["status"]) == 2
    assert "install the newer release" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["layout.json"]
