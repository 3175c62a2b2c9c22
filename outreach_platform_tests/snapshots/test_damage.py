"""Records and files that somebody damaged: clear words, and nobody else is harmed."""

import json
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from outreach_platform.embedded.server import EmbeddedServer
from outreach_platform.foundation.errors import (
    IntegrityError,
    OutreachError,
    StoppedError,
    StoreError,
)
from outreach_platform.foundation.lake import sha256_of
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.snapshots import publish
from outreach_platform.snapshots.layout import TABLES
from outreach_platform.snapshots.records import baseline_of, survey
from outreach_platform.snapshots.workbench import rebuild, workbench_path
from outreach_platform_tests.support.masters import create_masters
from outreach_platform_tests.support.postgres import drop_database, fresh_database
from outreach_platform_tests.support.snapshot_runs import (
    START,
    Published,
    audit_rows,
    fill,
    later,
    new_run,
    pull_to_judge,
    whole,
)

# Whole runs, one after the other: together too long for the fast part.
pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Prepared:
    """A database and a data folder in which West Virginia was published twice; made once."""

    database: str
    data_dir: Path
    versions: list[Published]


@pytest.fixture(scope="module")
def prepared(
    pg_server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prepared]:
    name, data_dir = "prepared_for_damage", tmp_path_factory.mktemp("prepared")
    url = fresh_database(pg_server, name)
    create_masters(url)
    fill(url)
    fill(url, state="OH")
    runs = [new_run(url, data_dir, run_id=f"run-{n}", at=later(60 * n)) for n in range(2)]
    yield Prepared(name, data_dir, [whole(run) for run in runs])
    drop_database(pg_server, name)


@pytest.fixture
def source(pg_server: EmbeddedServer, prepared: Prepared) -> Iterator[DatabaseUrl]:
    """A copy of the database: West Virginia and Ohio pass every switch."""
    name = f"damage_{uuid.uuid4().hex[:12]}"
    yield fresh_database(pg_server, name, prepared.database)
    drop_database(pg_server, name)


@pytest.fixture
def two(prepared: Prepared, tmp_path: Path) -> list[Published]:
    """Two published versions of West Virginia in the test's own data folder."""
    shutil.copytree(prepared.data_dir, tmp_path, dirs_exist_ok=True)
    rebuild(tmp_path, "test")
    return prepared.versions


def snapshots(data_dir: Path) -> list[tuple]:
    """(id, state, version) of the workbench's snapshots."""
    return query(data_dir, "SELECT id, state, snapshot_version FROM snapshots ORDER BY id")


def query(data_dir: Path, statement: str) -> list[tuple]:
    """Rows of a query on the workbench."""
    with duckdb.connect(str(workbench_path(data_dir)), read_only=True) as connection:
        return connection.execute(statement).fetchall()


def swap(path: Path, content: bytes) -> None:
    """Replace a file as an editor does: another file under the same name, no link to the old."""
    path.unlink()
    path.write_bytes(content)


@pytest.mark.parametrize("content", [b"", b'{"version": "1"}', b"\xff\xfe"])
@pytest.mark.parametrize("what", ["manifest", "receipt"])
def test_a_damaged_record_of_one_version_leaves_all_others_working(
    source: DatabaseUrl, tmp_path: Path, two: list[Published], what: str, content: bytes
) -> None:
    folder = new_run(source, tmp_path).folder
    path = getattr(folder, what)(two[1].version)
    path.write_bytes(content)
    problems = rebuild(tmp_path, "test")
    assert any(str(path) in problem and "move it away" in problem for problem in problems)
    assert any(str(path) in problem for problem in survey(folder)[1])
    third = whole(new_run(source, tmp_path, run_id="run-3", at=later(180)))
    ohio = whole(new_run(source, tmp_path, "OH", run_id="run-4", at=later(180)))
    ids = [row[0] for row in snapshots(tmp_path)]
    assert len(set(ids)) == len(ids)
    assert (third.manifest.snapshot_id, ohio.manifest.snapshot_id) == (3, 4)
    assert {row[2] for row in snapshots(tmp_path) if row[1] == "WV"} >= {
        two[0].version,
        third.version,
    }


def test_a_damaged_manifest_is_no_baseline_and_the_one_before_is(
    source: DatabaseUrl, tmp_path: Path, two: list[Published]
) -> None:
    folder = new_run(source, tmp_path).folder
    newest = baseline_of(folder, "20270101000000", "embedded")
    assert newest is not None
    assert newest.version == two[1].version
    folder.manifest(two[1].version).write_bytes(b"{")
    older = baseline_of(folder, "20270101000000", "embedded")
    assert older is not None
    assert older.version == two[0].version


def test_an_old_manifest_with_missing_fields_is_named_and_left_out(
    source: DatabaseUrl, tmp_path: Path, two: list[Published]
) -> None:
    folder = new_run(source, tmp_path).folder
    path = folder.manifest(two[0].version)
    old = json.loads(path.read_bytes())
    del old["rules_version"], old["verdicts"]
    path.write_text(json.dumps(old))
    problems = rebuild(tmp_path, "test")
    assert len(problems) == 1
    assert "verdicts: Field required" in problems[0]
    assert [row[2] for row in snapshots(tmp_path)] == [two[1].version]


def test_a_record_with_unknown_fields_is_read(
    source: DatabaseUrl, tmp_path: Path, two: list[Published]
) -> None:
    folder = new_run(source, tmp_path).folder
    path = folder.manifest(two[1].version)
    newer = json.loads(path.read_bytes()) | {"from_a_later_release": 1}
    path.write_text(json.dumps(newer))
    receipt = json.loads(folder.receipt(two[1].version).read_bytes())
    receipt |= {"manifest_sha256": sha256_of(path), "from_a_later_release": 1}
    folder.receipt(two[1].version).write_text(json.dumps(receipt))
    assert rebuild(tmp_path, "test") == []
    assert len(snapshots(tmp_path)) == 2


def test_a_deleted_manifest_is_not_made_anew_under_another_id(
    source: DatabaseUrl, tmp_path: Path, two: list[Published]
) -> None:
    run = new_run(source, tmp_path, run_id="again", at=later(90))
    path = run.folder.manifest(two[1].version)
    path.unlink()
    for step in (run.export, run.upload, run.record):
        with pytest.raises(OutreachError, match="is published but its manifest is gone"):
            step(two[1].version)
    assert not path.exists()
    assert any("its manifest is gone" in problem for problem in rebuild(tmp_path, "test"))
    assert [row[2] for row in snapshots(tmp_path)] == [two[0].version]
    run.store.get(run.folder.manifest_key(two[1].version), path)
    assert rebuild(tmp_path, "test") == []
    assert [row[2] for row in snapshots(tmp_path)] == [p.version for p in two]
    assert run.export(two[1].version) == two[1].manifest


def test_a_changed_manifest_is_noticed(
    source: DatabaseUrl, tmp_path: Path, two: list[Published]
) -> None:
    run = new_run(source, tmp_path, run_id="again", at=later(90))
    path = run.folder.manifest(two[1].version)
    changed = json.loads(path.read_bytes())
    changed["counts"]["companies_raw"] = 100_000
    path.write_text(json.dumps(changed))
    with pytest.raises(OutreachError, match="already holds another object"):
        run.upload(two[1].version)
    assert any("is not the one" in problem for problem in rebuild(tmp_path, "test"))
    baseline = baseline_of(run.folder, "20270101000000", "embedded")
    assert baseline is not None
    assert baseline.version == two[0].version


@pytest.mark.parametrize("table", TABLES)
def test_a_deleted_export_comes_back_from_the_lake(
    source: DatabaseUrl, tmp_path: Path, two: list[Published], table: str
) -> None:
    folder = new_run(source, tmp_path).folder
    path = folder.export(two[1].version, table)
    path.unlink()
    assert rebuild(tmp_path, "test") == []
    assert sha256_of(path) == two[1].manifest.files[table].sha256


def test_an_export_gone_for_good_is_said_and_the_version_before_is_shown(
    source: DatabaseUrl, tmp_path: Path, two: list[Published]
) -> None:
    folder = new_run(source, tmp_path).folder
    folder.export(two[1].version, "people_bad").unlink()
    folder.table(two[1].version, "people_bad").unlink()
    problems = rebuild(tmp_path, "test")
    assert len(problems) == 1
    assert f"people_bad_{two[1].version}.parquet is gone" in problems[0]
    shown = query(tmp_path, "SELECT DISTINCT snapshot_version FROM companies_good")
    assert shown == [(two[0].version,)]
    run = new_run(source, tmp_path, run_id="again", at=later(90))
    run.store.get(
        folder.object_key(two[1].version, "people_bad"), folder.export(two[1].version, "people_bad")
    )
    assert rebuild(tmp_path, "test") == []
    shown = query(tmp_path, "SELECT DISTINCT snapshot_version FROM companies_good")
    assert shown == [(two[1].version,)]


@pytest.mark.parametrize("content", [b"", b"PAR1 not really", b"x" * 100_000])
def test_a_tampered_export_is_said_and_harms_no_view(
    source: DatabaseUrl, tmp_path: Path, two: list[Published], content: bytes
) -> None:
    run = new_run(source, tmp_path, run_id="again", at=later(90))
    path = run.folder.export(two[1].version, "companies_good")
    swap(path, content)
    problems = rebuild(tmp_path, "test")
    assert any(path.name in problem for problem in problems)
    shown = query(tmp_path, "SELECT DISTINCT snapshot_version FROM companies_good")
    assert shown == [(two[0].version,)]
    with pytest.raises(IntegrityError, match="holds other content"):
        run.export(two[1].version)
    with pytest.raises(IntegrityError, match="its checksum changed"):
        run.upload(two[1].version)
    assert path.read_bytes() == content


def test_a_tampered_lake_file_is_neither_exported_nor_split(
    source: DatabaseUrl, tmp_path: Path
) -> None:
    run = new_run(source, tmp_path, run_id="one", at=START)
    pulled, _, _ = pull_to_judge(run)
    swap(run.folder.table(pulled.version, "people_good"), b"somebody's own")
    with pytest.raises(IntegrityError, match="not the file that was judged"):
        run.export(pulled.version)
    assert not run.folder.export(pulled.version, "people_good").exists()
    assert not run.folder.manifest(pulled.version).exists()
    swap(run.folder.table(pulled.version, "people_raw"), b"somebody's own")
    with pytest.raises(IntegrityError, match="its checksum changed"):
        run.split(pulled.version)
    run.folder.table(pulled.version, "people_raw").unlink()
    with pytest.raises(IntegrityError, match="is gone"):
        run.split(pulled.version)


@pytest.mark.parametrize("content", [b"", b"{", b'{"passed": true}'])
def test_a_damaged_verdict_lets_nothing_pass(
    source: DatabaseUrl, tmp_path: Path, content: bytes
) -> None:
    run = new_run(source, tmp_path, run_id="one", at=START)
    pulled, _, _ = pull_to_judge(run)
    run.folder.verdict(pulled.version).write_bytes(content)
    with pytest.raises(IntegrityError, match="damaged or of another release"):
        run.export(pulled.version)
    assert not run.folder.manifest(pulled.version).exists()
    assert run.judge(pulled.version).passed
    run.export(pulled.version)


def test_the_same_version_twice_is_a_no_op(
    source: DatabaseUrl, tmp_path: Path, two: list[Published]
) -> None:
    run = new_run(source, tmp_path, run_id="again", at=later(90))
    version = two[1].version
    roots = [run.folder.exports, run.folder.lake, tmp_path / "objects"]
    tables = [p for root in roots for p in root.rglob("*") if p.is_file()]
    before = {p: (p.stat().st_mtime_ns, p.stat().st_ino) for p in tables}
    rows = len(audit_rows(source))
    split = run.split(version)
    gates = run.judge(version)
    assert run.export(version) == two[1].manifest
    run.upload(version)
    receipt, warnings = run.record(version)
    assert (split, gates, receipt) == (two[1].split, two[1].gates, two[1].receipt)
    assert warnings == []
    assert len(audit_rows(source)) == rows
    assert len(snapshots(tmp_path)) == 2
    after = {p: (p.stat().st_mtime_ns, p.stat().st_ino) for p in tables}
    changed = {p.name for p in tables if before[p] != after[p]}
    assert changed <= {"split.json"}


def test_changed_rules_never_change_a_published_version(
    source: DatabaseUrl,
    tmp_path: Path,
    two: list[Published],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = new_run(source, tmp_path, run_id="again", at=later(90))
    folder, version = run.folder, two[1].version
    before = {t: sha256_of(folder.export(version, t)) for t in TABLES}
    record = folder.split_record(version).read_bytes()
    stricter(monkeypatch)
    with pytest.raises(IntegrityError, match="is published and today's rules would change"):
        run.split(version)
    assert {t: sha256_of(folder.export(version, t)) for t in TABLES} == before
    assert {t: sha256_of(folder.table(version, t)) for t in TABLES} == before
    assert folder.split_record(version).read_bytes() == record
    assert not list(folder.version(version).glob("*.new.*"))
    assert run.export(version) == two[1].manifest
    new = pull_to_judge(new_run(source, tmp_path, run_id="new", at=later(300)))[1]
    assert new.rules_version != two[1].split.rules_version
    assert new.rows("companies_good") == 0


def test_an_exported_version_is_not_split_anew_under_other_rules(
    source: DatabaseUrl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = new_run(source, tmp_path, run_id="one", at=START)
    pulled, _, _ = pull_to_judge(run)
    run.export(pulled.version)
    stricter(monkeypatch)
    run.split(pulled.version)
    with pytest.raises(StoppedError, match="was split again after it was judged"):
        run.export(pulled.version)
    with pytest.raises(StoppedError, match="was split again after it was judged"):
        run.upload(pulled.version)
    with pytest.raises(StoppedError, match="was split again after it was judged"):
        run.record(pulled.version)
    assert run.folder.published_versions() == []


def stricter(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on every company is bad: an error rule that is always broken."""
    import dataclasses

    import ibis

    from outreach_platform.foundation.rules import Rule, RuleSet
    from outreach_platform.records import rules
    from outreach_platform.snapshots import split

    never = Rule("never_good", "error", ("company_name",), lambda t, _: ibis.literal(True), "no")
    strict = RuleSet("company", (*rules.COMPANY_RULES.rules, never))
    entity = dataclasses.replace(split.COMPANIES, rules=strict)
    monkeypatch.setattr(split, "COMPANIES", entity)
    monkeypatch.setattr(rules, "COMPANY_RULES", strict)
    monkeypatch.setattr(split, "current_rules_version", rules.current_rules_version.__wrapped__)


def test_a_missing_bucket_object_is_sent_again(
    source: DatabaseUrl, tmp_path: Path, two: list[Published]
) -> None:
    run = new_run(source, tmp_path, run_id="again", at=later(90))
    key = run.folder.object_key(two[1].version, "people_good")
    (tmp_path / "objects" / "svg-enrichment" / key).unlink()
    assert run.store.head(key) is None
    run.upload(two[1].version)
    stored = run.store.head(key)
    assert stored is not None
    assert stored.sha256 == two[1].manifest.files["people_good"].sha256


def test_confirm_refuses_what_was_not_wholly_uploaded(source: DatabaseUrl, tmp_path: Path) -> None:
    run = new_run(source, tmp_path, at=START)
    pulled, _, _ = pull_to_judge(run)
    run.export(pulled.version)
    objects = run.upload(pulled.version)
    del objects["people_bad"]
    with pytest.raises(IntegrityError, match="not all objects are confirmed"):
        publish.confirm(run.folder, pulled.version, objects, 1)
    assert run.folder.published_versions() == []


def test_an_object_that_another_holds_is_never_overwritten(
    source: DatabaseUrl, tmp_path: Path
) -> None:
    run = new_run(source, tmp_path, at=START)
    pulled, _, _ = pull_to_judge(run)
    run.export(pulled.version)
    other = tmp_path / "other"
    other.write_bytes(b"theirs")
    key = run.folder.object_key(pulled.version, "people_bad")
    run.store.put(key, other, {"state": "WV"}, sha256=sha256_of(other))
    with pytest.raises(StoreError, match="already holds another object"):
        run.upload(pulled.version)
    stored = run.store.head(key)
    assert stored is not None
    assert stored.size == 6
