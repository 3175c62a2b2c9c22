"""Nothing passes without an explicit, fitting verdict; every outcome is audited, with nobody's
data."""

import dataclasses
import re
from datetime import timedelta
from pathlib import Path

import pytest

from outreach_platform.foundation.errors import SourceError, StoppedError, UsageError
from outreach_platform.foundation.lake import read_record, write_record
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.snapshots import publish
from outreach_platform.snapshots.gates import GateRecord, Override
from outreach_platform.snapshots.judgement import require_pass, stop_message
from outreach_platform.snapshots.layout import Outcome
from outreach_platform.snapshots.overrides import active_overrides, add_override, check_override
from outreach_platform.snapshots.run import SnapshotRun
from outreach_platform_tests.support.masters import (
    COMPANIES,
    PEOPLE,
    company,
    create_masters,
    insert,
    person,
)
from outreach_platform_tests.support.postgres import execute, fetch
from outreach_platform_tests.support.snapshot_runs import (
    NOWHERE,
    START,
    audit_rows,
    fill,
    later,
    new_run,
    pull_to_judge,
    settings_for,
    statuses,
    whole,
)

# Whole runs, one after the other: together too long for the fast part.
pytestmark = pytest.mark.slow

TODAY = START.date()
# Every key that the facts list for details, ours among them.
LISTED = {
    *("state", "snapshot_version", "companies_good", "companies_bad", "people_good"),
    *("people_bad", "kill_switch_status", "row_delta", "snapshot_id", "parquet_paths", "b2_urls"),
    *("start_time", "end_time", "run_id", "rules_version", "thresholds", "companies_raw"),
    *("people_raw", "manifest_checksum"),
}
OF_A_STOP = LISTED - {"snapshot_id", "parquet_paths", "b2_urls", "manifest_checksum"} | {"error"}


def assert_refused(run: SnapshotRun, version: str, match: str) -> None:
    """Every step with an effect outside refuses, called in any way."""
    for step in (
        lambda: run.export(version),
        lambda: run.upload(version),
        lambda: run.record(version),
        lambda: publish.export(run.folder, version, "x"),
        lambda: publish.upload(run.folder, version, run.store),
    ):
        with pytest.raises(StoppedError, match=match):
            step()
    assert run.folder.exported_versions() == run.folder.published_versions() == []
    assert not list(run.folder.exports.rglob("*.parquet"))
    assert list(run.store.list("")) == []


def test_a_stop_cannot_be_passed_by(neon_url: DatabaseUrl, tmp_path: Path) -> None:
    create_masters(neon_url)
    fill(neon_url, companies=10, bad=2)
    run = new_run(neon_url, tmp_path, at=START)
    pulled, _, gates = pull_to_judge(run)
    assert not gates.passed
    assert_refused(run, pulled.version, "K1 TRIGGERED: Company bad ratio 20.0% > 15.0%")
    assert statuses(neon_url) == [(pulled.version, "K1_TRIGGERED")]


def test_no_verdict_is_no_pass(neon_url: DatabaseUrl, tmp_path: Path) -> None:
    create_masters(neon_url)
    fill(neon_url)
    run = new_run(neon_url, tmp_path, at=START)
    version = run.split(run.pull().version).version
    assert_refused(run, version, "has not been judged")
    run.judge(version)
    run.folder.verdict(version).unlink()
    assert_refused(run, version, "has not been judged")


def test_a_verdict_on_other_files_is_no_pass(neon_url: DatabaseUrl, tmp_path: Path) -> None:
    create_masters(neon_url)
    fill(neon_url)
    run = new_run(neon_url, tmp_path, at=START)
    pulled, _, gates = pull_to_judge(run)
    other = gates.model_copy(update={"judged": {**gates.judged, "people_good": "0" * 64}})
    write_record(run.folder.verdict(pulled.version), other)
    assert_refused(run, pulled.version, "was split again after it was judged")
    fewer = {k: v for k, v in gates.judged.items() if k != "companies_raw"}
    write_record(run.folder.verdict(pulled.version), gates.model_copy(update={"judged": fewer}))
    assert_refused(run, pulled.version, "was split again after it was judged")


def test_a_verdict_of_another_version_or_state_is_no_pass(
    neon_url: DatabaseUrl, tmp_path: Path
) -> None:
    create_masters(neon_url)
    fill(neon_url)
    run = new_run(neon_url, tmp_path, at=START)
    pulled, _, gates = pull_to_judge(run)
    for change in ({"version": "20200101000000"}, {"state": "PA"}):
        write_record(run.folder.verdict(pulled.version), gates.model_copy(update=change))
        assert_refused(run, pulled.version, "speaks of")
    write_record(run.folder.verdict(pulled.version), gates)
    assert require_pass(run.folder, pulled.version) == gates


def test_regression_3_a_stopped_run_is_audited_and_moves_no_baseline(
    neon_url: DatabaseUrl, tmp_path: Path
) -> None:
    create_masters(neon_url)
    fill(neon_url, companies=60, bad=0)
    first = whole(new_run(neon_url, tmp_path, run_id="first", at=START))
    fill(neon_url, companies=60, bad=0)
    run = new_run(neon_url, tmp_path, run_id="second", at=later(60))
    pulled, _, gates = pull_to_judge(run)
    assert gates.status == "K2_TRIGGERED"
    assert statuses(neon_url) == [(first.version, "OK"), (pulled.version, "K2_TRIGGERED")]
    third = new_run(neon_url, tmp_path, run_id="third", at=later(120))
    _, _, gates = pull_to_judge(third)
    assert gates.baseline is not None
    assert gates.baseline.version == first.version
    outcome = read_record(run.folder.outcome(pulled.version), Outcome)
    assert (outcome.status, outcome.run_id) == ("stopped", "second")
    assert "Row delta 100.0% > 30.0%" in outcome.message


def test_regression_3_a_failed_audit_moves_no_baseline_and_the_next_run_completes(
    neon_url: DatabaseUrl, tmp_path: Path
) -> None:
    create_masters(neon_url)
    fill(neon_url)
    execute(neon_url, "CREATE SCHEMA shq; CREATE TABLE shq.audit_log (event_type text, what text)")
    run = new_run(neon_url, tmp_path, run_id="first", at=START)
    pulled, _, gates = pull_to_judge(run)
    assert gates.passed
    run.export(pulled.version)
    run.upload(pulled.version)
    with pytest.raises(SourceError, match=r"shq\.audit_log exists with another shape"):
        run.record(pulled.version)
    assert run.folder.published_versions() == []
    execute(neon_url, "DROP TABLE shq.audit_log")
    done = whole(new_run(neon_url, tmp_path, run_id="second", at=later(60)))
    assert run.folder.published_versions() == [pulled.version, done.version]
    assert done.gates.baseline is not None
    assert statuses(neon_url).count((pulled.version, "OK")) == 1
    assert statuses(neon_url).count((done.version, "OK")) == 1


def test_regression_3_a_server_that_is_gone_at_the_end_costs_nothing(
    neon_url: DatabaseUrl, tmp_path: Path
) -> None:
    create_masters(neon_url)
    fill(neon_url)
    run = new_run(neon_url, tmp_path, run_id="first", at=START)
    pulled, _, _ = pull_to_judge(run)
    run.export(pulled.version)
    run.upload(pulled.version)
    away = dataclasses.replace(run, url=NOWHERE)
    with pytest.raises(SourceError, match="cannot be reached"):
        away.record(pulled.version)
    assert run.folder.published_versions() == []
    done = whole(new_run(neon_url, tmp_path, run_id="second", at=later(60)))
    assert run.folder.published_versions() == [pulled.version, done.version]
    assert statuses(neon_url) == [
        (pulled.version, "FAILED"),
        (pulled.version, "OK"),
        (done.version, "OK"),
    ]


def test_a_published_version_is_audited_with_all_that_the_facts_list(
    neon_url: DatabaseUrl, tmp_path: Path
) -> None:
    create_masters(neon_url)
    fill(neon_url)
    whole(new_run(neon_url, tmp_path, run_id="first", at=START))
    done = whole(new_run(neon_url, tmp_path, run_id="second", at=later(60)))
    event_type, event_source, details = audit_rows(neon_url)[-1]
    assert (event_type, event_source) == ("outreach_snapshot", "state_duckdb_pipeline")
    assert set(details) >= LISTED
    assert "overrides" not in details
    assert "error" not in details
    assert details["kill_switch_status"] == "OK"
    assert details["row_delta"] == 0.0
    assert details["snapshot_id"] == done.manifest.snapshot_id == 2
    assert (details["companies_good"], details["companies_bad"]) == (9, 1)
    assert (details["people_good"], details["people_bad"]) == (18, 2)
    assert details["start_time"] < details["end_time"]
    assert details["parquet_paths"] == {t: f.path for t, f in done.manifest.files.items()}
    assert set(details["b2_urls"]) == {*details["parquet_paths"], "manifest"}
    assert details["thresholds"] == {"bad_ratio": 0.15, "row_delta": 0.3, "row_delta_floor": 50}
    ids = fetch(neon_url, "SELECT id, created_at IS NOT NULL FROM shq.audit_log ORDER BY id")
    assert ids[-1] == (done.receipt.audit_id, True)


@pytest.mark.parametrize("switch", ["K1", "K2", "K3", "lost", "all"])
def test_a_stop_by_each_switch_is_audited_once(
    neon_url: DatabaseUrl, tmp_path: Path, switch: str
) -> None:
    create_masters(neon_url, primary_keys=False)
    rows = fill(neon_url, companies=60, bad=0)
    first = whole(new_run(neon_url, tmp_path, run_id="first", at=START))
    if switch in ("K1", "all"):
        execute(
            neon_url,
            "UPDATE marketing.company_master SET website_url = '' WHERE company_unique_id IN "
            "(SELECT company_unique_id FROM marketing.company_master LIMIT 30)",
        )
    if switch in ("K2", "all"):
        fill(neon_url, companies=60, bad=0)
    if switch in ("K3", "all"):
        insert(neon_url, COMPANIES, [company(company_unique_id=None), rows[0]])
    if switch in ("lost", "all"):
        twice = person(company_unique_id=rows[0]["company_unique_id"])
        insert(neon_url, PEOPLE, [twice, twice])
    expected = {
        "K1": "K1_TRIGGERED",
        "K2": "K2_TRIGGERED",
        "K3": "K3_TRIGGERED",
        "lost": "FAILED",
        "all": "K1_TRIGGERED,K2_TRIGGERED,K3_TRIGGERED",
    }[switch]
    run = new_run(neon_url, tmp_path, run_id="second", at=later(60))
    pulled, _, gates = pull_to_judge(run)
    assert (gates.status, gates.passed) == (expected, False)
    run.judge(pulled.version)
    assert statuses(neon_url) == [(first.version, "OK"), (pulled.version, expected)]
    details = audit_rows(neon_url)[-1][2]
    assert set(details) >= OF_A_STOP
    assert details["error"] == stop_message(gates)
    assert len(details["verdicts"]) == 3
    assert ("unique_ids stand twice" in details["error"]) == (switch in ("lost", "all"))
    assert run.folder.published_versions() == [first.version]


def test_no_row_says_anything_of_a_person_or_a_secret(
    neon_url: DatabaseUrl, tmp_path: Path
) -> None:
    create_masters(neon_url)
    rows = fill(neon_url)
    private = person(
        company_unique_id=rows[-1]["company_unique_id"],
        first_name="Wilhelmina",
        last_name="Ollivander",
        email="wilhelmina@ollivander.example",
        work_phone_e164="+13045550777",
    )
    insert(neon_url, PEOPLE, [private])
    secret = "Canary-7-secret"
    url = DatabaseUrl({**neon_url.params, "password": secret})
    DatabaseUrl.parse(f"postgresql://u:{secret}@h/d")
    whole(new_run(url, tmp_path, run_id="first", at=START))
    execute(neon_url, "UPDATE marketing.company_master SET website_url = NULL")
    pull_to_judge(new_run(url, tmp_path, run_id="second", at=later(60)))
    execute(neon_url, "ALTER TABLE marketing.people_master DROP COLUMN email")
    with pytest.raises(SourceError):
        new_run(url, tmp_path, run_id="third", at=later(120)).pull()
    told = str(
        fetch(
            neon_url,
            "SELECT event_type, event_source, details::text, created_at FROM shq.audit_log",
        )
    )
    assert [s for _, s in statuses(neon_url)] == ["OK", "K1_TRIGGERED", "FAILED"]
    for word in ("Wilhelmina", "Ollivander", "13045550777", secret):
        assert word not in told
    assert not re.search(r"[^\s@]+@[^\s@]+\.[a-z]", told)
    kept = [p for p in tmp_path.rglob("*") if p.is_file() and p.suffix in (".json", ".duckdb")]
    for path in kept:
        content = path.read_bytes()
        for word in ("Wilhelmina", "ollivander", secret):
            assert word.encode() not in content, path


def test_a_defect_is_audited_by_its_kind_alone(
    neon_url: DatabaseUrl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_masters(neon_url)
    run = new_run(neon_url, tmp_path, at=START)
    version = run.pull().version

    def explode(*_: object) -> None:
        raise ValueError("ann.lee@example.org is no number")

    monkeypatch.setattr("outreach_platform.snapshots.run.split", explode)
    with pytest.raises(ValueError, match="no number"):
        run.split(version)
    details = audit_rows(neon_url)[-1][2]
    assert (details["error"], details["kill_switch_status"]) == ("ValueError", "FAILED")
    assert read_record(run.folder.outcome(version), Outcome).message == "ValueError"


def leave(switch: str = "K1", days: int = 0, **changes: object) -> Override:
    """An override for West Virginia that holds for so many days more."""
    until = TODAY + timedelta(days=days)
    fields = {"state": "WV", "switch": switch, "until": until, "reason": "known", "by": "Kim"}
    return Override.model_validate({**fields, **changes})


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (leave("K3"), "K3 cannot be overridden, only K1 and K2"),
        (leave(days=-1), "--until 2026-03-01 is past"),
        (leave(reason="  "), "needs a --reason and a name"),
        (leave(by=""), "needs a --reason and a name"),
    ],
)
def test_an_override_that_cannot_hold_is_refused(wrong: Override, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_override(wrong, TODAY)
    check_override(leave(), TODAY)


def test_a_refused_override_is_not_stored(neon_url: DatabaseUrl) -> None:
    for wrong in (leave("K3", days=9999), leave(days=-3000)):
        with pytest.raises(UsageError):
            add_override(neon_url, wrong)
    assert fetch(neon_url, "SELECT to_regclass('shq.kill_switch_overrides')") == [(None,)]
    assert active_overrides(neon_url, "WV", TODAY) == []


def test_overrides_are_kept_for_their_state_until_their_day(neon_url: DatabaseUrl) -> None:
    long = leave(days=9000)
    stored = add_override(neon_url, long)
    assert stored == long.model_copy(update={"id": 1})
    assert add_override(neon_url, long) == stored
    assert fetch(neon_url, "SELECT count(*) FROM shq.kill_switch_overrides") == [(1,)]
    other = add_override(neon_url, leave("K2", days=9000, state="PA", reason='it\'s "so"; --%s'))
    assert active_overrides(neon_url, "WV", TODAY) == [stored]
    assert active_overrides(neon_url, "PA", TODAY) == [other]
    assert active_overrides(neon_url, "WV", long.until) == [stored]
    assert active_overrides(neon_url, "WV", long.until + timedelta(days=1)) == []


def test_an_override_lets_a_state_pass_until_its_day_and_is_audited(
    neon_url: DatabaseUrl, tmp_path: Path
) -> None:
    create_masters(neon_url)
    fill(neon_url, companies=10, bad=5)
    add_override(neon_url, leave("K1", days=9000))
    add_override(neon_url, leave("K1", days=9000, state="OH"))
    last = leave("K1", days=9000).until
    on_the_day = START + timedelta(days=9000)
    done = whole(new_run(neon_url, tmp_path, run_id="first", at=on_the_day))
    assert done.gates.verdict("K1").override is not None
    assert [o.switch for o in done.manifest.overrides] == ["K1"]
    details = audit_rows(neon_url)[-1][2]
    assert details["kill_switch_status"] == "OK"
    (told,) = details["overrides"]
    assert (told["switch"], told["by"], told["reason"], told["until"]) == (
        "K1",
        "Kim",
        "known",
        last.isoformat(),
    )
    day_after = new_run(neon_url, tmp_path, run_id="second", at=on_the_day + timedelta(days=1))
    _, _, gates = pull_to_judge(day_after)
    assert gates.status == "K1_TRIGGERED"


def test_an_override_of_another_state_or_switch_helps_nobody(
    neon_url: DatabaseUrl, tmp_path: Path
) -> None:
    create_masters(neon_url)
    fill(neon_url, companies=10, bad=5)
    add_override(neon_url, leave("K1", days=9000, state="OH"))
    add_override(neon_url, leave("K2", days=9000))
    _, _, gates = pull_to_judge(new_run(neon_url, tmp_path, at=START))
    assert gates.status == "K1_TRIGGERED"


def test_a_k3_row_that_somebody_forged_helps_nobody(neon_url: DatabaseUrl, tmp_path: Path) -> None:
    create_masters(neon_url, primary_keys=False)
    fill(neon_url)
    insert(neon_url, COMPANIES, [company(company_unique_id=None)])
    add_override(neon_url, leave("K1", days=9000))
    execute(
        neon_url,
        "ALTER TABLE shq.kill_switch_overrides DROP CONSTRAINT "
        "kill_switch_overrides_kill_switch_check; "
        "UPDATE shq.kill_switch_overrides SET kill_switch = 'K3'",
    )
    _, _, gates = pull_to_judge(new_run(neon_url, tmp_path, at=START))
    assert gates.status == "K3_TRIGGERED"


def test_overrides_that_cannot_be_read_stop_the_run(neon_url: DatabaseUrl, tmp_path: Path) -> None:
    create_masters(neon_url)
    fill(neon_url)
    execute(neon_url, "CREATE SCHEMA shq; CREATE TABLE shq.kill_switch_overrides (id int)")
    run = new_run(neon_url, tmp_path, at=START)
    version = run.split(run.pull().version).version
    with pytest.raises(SourceError, match="kill_switch_overrides"):
        run.judge(version)
    with pytest.raises(SourceError, match="kill_switch_overrides"):
        add_override(neon_url, leave(days=9000))
    assert_refused(run, version, "has not been judged")


def test_thresholds_of_a_state_are_used_and_kept(neon_url: DatabaseUrl, tmp_path: Path) -> None:
    create_masters(neon_url)
    fill(neon_url, companies=10, bad=4)
    own = settings_for(tmp_path, WV={"bad_ratio": 0.42})
    done = whole(new_run(neon_url, tmp_path, at=START, settings=own))
    assert done.manifest.thresholds.bad_ratio == 0.42
    assert (
        read_record(
            new_run(neon_url, tmp_path).folder.verdict(done.version), GateRecord
        ).thresholds.bad_ratio
        == 0.42
    )


def test_sample_data_is_no_baseline_for_a_configured_database(
    neon_url: DatabaseUrl, tmp_path: Path
) -> None:
    create_masters(neon_url)
    fill(neon_url, companies=60, bad=0)
    whole(new_run(neon_url, tmp_path, run_id="first", at=START))
    fill(neon_url, companies=60, bad=0)
    configured = settings_for(tmp_path).model_copy(
        update={"embedded_only": False, "neon_host": "h", "neon_database": "d", "neon_user": "u"}
    )
    from pydantic import SecretStr

    configured = configured.model_copy(update={"neon_password": SecretStr("pass-word-9")})
    run = new_run(neon_url, tmp_path, run_id="second", at=later(60), settings=configured)
    _, _, gates = pull_to_judge(run)
    assert gates.verdict("K2").message == "K2 skip (no previous snapshot)"
    assert gates.passed
