"""What belongs into a backup, in which order it is read, and what comes meanwhile."""

import os
from pathlib import Path

import pytest

from outreach_platform.operations.backup.files import FileCopy
from outreach_platform.operations.backup.survey import is_left_out, is_record, walk

IN = (
    *("layout.json", "exports/WV/receipts/20261120131505.json", "raw/.dvc/config"),
    *("logs/audit_spool/1-a.json", "filings/some.lock", "lake/filings/writer.duckdb"),
    *("objects/b/.metadata/outreach.d/x.json", "dagster/history/runs.db", "notes of mine.txt"),
    *("quarantine/behavioral_events/date=2026-01-01.parquet", "reports/report.html"),
    *("lake/filings/backups/filings-1.duckdb", "duckdb/analytics.duckdb.damaged-1"),
)
OUT = (
    *("locks/WV.lock", "embedded/cluster/PG_VERSION", "backup.json", "logs/outreach.log"),
    *("lake/.spill/duckdb-1/x", "lake/outreach/WV/.pull.json.77-ab.partial", "lake/filings/.lock"),
    *("lake/filings/.lock.holder.json", "objects/b/.incoming/part", "raw/.dvc/tmp/lock"),
    *("lake/filings/staging/run/a.parquet", "duckdb/outreach_workbench.duckdb"),
    *("dagster/up.lock", "dagster/up.json", "lake/.plain-WV/raw.parquet"),
    *("lake/outreach/WV/20261120131505/people_bad.new.parquet", ".outreach-backup.lock"),
    "dagster/history/runs.db-wal",
)


def write(data: Path, *names: str) -> None:
    for name in names:
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_text(name)


def found(data: Path) -> set[str]:
    return {each.path.as_posix() for each in walk(data)}


def test_state_is_in_and_what_a_process_needs_is_out(tmp_path: Path) -> None:
    write(tmp_path, *IN, *OUT)
    assert found(tmp_path) == set(IN)


def test_links_stay_links_inside_and_are_followed_outside(tmp_path: Path) -> None:
    data, elsewhere = tmp_path / "data", tmp_path / "big disk"
    write(data, "raw/behavioral_events_1.parquet")
    write(elsewhere, "b/outreach/x.parquet")
    (data / "raw/behavioral_events_latest.parquet").symlink_to("behavioral_events_1.parquet")
    (data / "absolute").symlink_to(data / "raw" / "behavioral_events_1.parquet")
    (data / "gone").symlink_to("nowhere")
    (data / "objects").symlink_to(elsewhere)
    (data / "raw" / "loop").symlink_to(data)
    (elsewhere / "loop").symlink_to(elsewhere)
    links = {f.path.as_posix(): f.leads_to for f in walk(data)}
    assert links == {
        "raw/behavioral_events_1.parquet": None,
        "raw/behavioral_events_latest.parquet": "behavioral_events_1.parquet",
        "absolute": "raw/behavioral_events_1.parquet",
        "gone": "nowhere",
        "objects/b/outreach/x.parquet": None,
        "raw/loop": "..",
    }


def test_second_names_count_once(tmp_path: Path) -> None:
    write(tmp_path, "exports/a.parquet")
    os.link(tmp_path / "exports/a.parquet", tmp_path / "exports/b.parquet")
    assert sum(each.size for each in walk(tmp_path)) == len("exports/a.parquet")


@pytest.mark.parametrize(
    ("name", "record"),
    [
        ("exports/WV/manifests/1.json", True),
        ("objects/b/exports/WV/manifests/1.json", False),
        ("lake/outreach/WV/1/people_raw.parquet", False),
    ],
)
def test_records(name: str, record: bool) -> None:
    assert is_record(Path(name)) is record
    assert not is_left_out(Path(name))


class Writer:
    """Somebody who writes into the source when the backup says where it is."""

    def __init__(self, when: str, action) -> None:
        self.when, self.action, self.done = when, action, False

    def __call__(self, text: str) -> None:
        if text == self.when and not self.done:
            self.done = True
            self.action()


def copied(data: Path, target: Path, writer: Writer) -> set[str]:
    target.mkdir()
    files = FileCopy(data, target, writer)
    files.runs()
    files.records()
    files.rest()
    assert files.problems == []
    assert writer.done
    return {p.relative_to(target).as_posix() for p in target.rglob("*") if p.is_file()}


def test_a_version_published_meanwhile_is_in_with_its_files_or_not_at_all(tmp_path: Path) -> None:
    data = tmp_path / "data"
    old = [f"exports/WV/{k}" for k in ("people/good/p_1.parquet", "manifests/1.json")]
    new = [f"exports/WV/{k}" for k in ("people/good/p_2.parquet", "manifests/2.json")]
    receipt = "exports/WV/receipts/2.json"
    write(data, *old, "zebra/last")
    # After the records were read and before the files are.
    writer = Writer("exports", lambda: write(data, *new, receipt))
    there = copied(data, tmp_path / "copy", writer)
    assert set(old) <= there
    assert not {new[1], receipt} & there


def test_a_day_replaced_meanwhile_agrees_with_its_manifest(tmp_path: Path) -> None:
    data, day = tmp_path / "data", "lake/behavioral_events/date=2026-01-01"
    write(data, f"{day}/events.parquet", f"{day}/manifest.json", "exports/x", "zebra/last")

    def pulled_again() -> None:
        for name in ("events.parquet", "manifest.json"):
            aside = data / day / ".aside"
            aside.write_text("newer")
            aside.replace(data / day / name)

    copied(data, tmp_path / "copy", Writer("zebra", pulled_again))
    texts = {p.read_text() for p in (tmp_path / "copy" / day).iterdir()}
    assert texts == {"newer"}, "not one of each"


def test_a_manifest_withdrawn_meanwhile_is_gone(tmp_path: Path) -> None:
    data = tmp_path / "data"
    names = ("exports/WV/people/good/p_1.parquet", "exports/WV/manifests/1.json", "zebra/last")
    write(data, *names)

    def withdraw() -> None:
        for name in names[1::-1]:
            (data / name).unlink()

    there = copied(data, tmp_path / "copy", Writer("exports", withdraw))
    assert names[1] not in there


def test_what_is_pruned_meanwhile_has_its_mark(tmp_path: Path) -> None:
    data = tmp_path / "data"
    file, manifest = "exports/WV/people/good/p_1.parquet", "exports/WV/manifests/1.json"
    marks = {"exports/WV/pruned/1.json", "lake/outreach/WV/1/pruned.json"}
    marks |= {"raw/manifests/pruned/behavioral_events_1.json"}
    write(data, file, manifest, "zebra/last")

    def prune() -> None:
        write(data, *marks)
        (data / file).unlink()

    there = copied(data, tmp_path / "copy", Writer("exports", prune))
    assert marks | {manifest} <= there
    assert file not in there
