"""The enrichment assets as UI, schedule and sensor run them: whole, in part, and one at a time."""

import base64
import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import dagster as dg
import pytest
from PIL import Image

from outreach_platform.enrichment.plots import STAGES
from outreach_platform.enrichment.records import find_stage
from outreach_platform.foundation.locks import NamedLock
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform_tests.support.enrichment import (
    Databases,
    company_id,
    invalid_company,
    invalid_person,
    person_id,
)
from outreach_platform_tests.support.enrichment_jobs import (
    PROMOTION,
    Wing,
    metadata,
    opened,
    placed,
    steps,
    verdicts,
)
from outreach_platform_tests.support.postgres import execute, fetch, free_port
from outreach_platform_tests.support.product import (
    Product,
    failures,
    find_bytes,
    materialized,
    url_text,
)

pytestmark = pytest.mark.slow

Opened = tuple[Product, dg.DagsterInstance]
CANARY = "canary-71c4e0"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    with opened(Product(tmp_path_factory.mktemp("enrichment_assets"))) as both:
        yield both


@pytest.fixture
def wing(home: Opened, databases: Databases, monkeypatch: pytest.MonkeyPatch) -> Wing:
    return placed(home, databases, monkeypatch)


def observed(result: dg.ExecuteInProcessResult) -> dict[str, dict]:
    """The last observation of each asset in a run."""
    return {
        event.asset_observation_data.asset_observation.asset_key.path[-1]: {
            key: value.value
            for key, value in event.asset_observation_data.asset_observation.metadata.items()
        }
        for event in result.get_asset_observation_events()
    }


def picture(found: dict) -> Image.Image:
    encoded = found["funnel"].partition("base64,")[2].rstrip(")")
    return Image.open(io.BytesIO(base64.b64decode(encoded)))


def test_out_and_back(wing: Wing) -> None:
    """The pull, an enricher's work, the promotion; what the UI shows of each."""
    passing, failing, waiting = wing.databases.add_companies(3)
    (person,) = wing.databases.add_invalid(invalid_person(company_unique_id=passing))
    pulled = wing.pull()
    assert pulled.success, failures(pulled)
    assert steps(pulled)[0] == "quarantine", "what it offers is pulled in the same run"
    assert materialized(pulled) == {
        *("quarantine", "company_needs_enrichment", "people_needs_enrichment")
    }
    assert all(verdicts(pulled).values())
    assert len(verdicts(pulled)) == 6
    assert metadata(pulled, "quarantine") == {"offered": 0, "offer_quarantine": False}
    shown = metadata(pulled, "company_needs_enrichment")
    assert (shown["dagster/row_count"], shown["read"], shown["inserted"]) == (3, 3, 3)
    assert shown["dagster/table_name"] == "public.company_needs_enrichment"
    columns = {c.name: c for c in shown["dagster/column_schema"].columns}
    assert (columns["employee_count"].type, columns["website"].type) == ("integer", "text")
    assert columns["company_unique_id"].constraints.unique
    assert not columns["website"].constraints.unique
    assert shown["problems"] == []
    assert picture(shown).size == (900, 320)
    assert observed(pulled)["company_invalid"] == {
        "dagster/row_count": 3,
        "dagster/table_name": "marketing.company_invalid",
        "still_invalid": 0,
        "chronic": 0,
    }
    assert observed(pulled)["people_invalid"]["dagster/row_count"] == 1

    wing.databases.complete(passing, website="https://good.org")
    wing.databases.complete(failing, website="still thinking")
    wing.databases.complete(person, email="adela@good.org")
    promoted = wing.promotion()
    assert promoted.success, failures(promoted)
    assert steps(promoted) == ["pushed_to_neon", "revalidation", "promotions"]
    assert verdicts(promoted) == {
        "pushed_to_neon.no_lost_edit": True,
        "pushed_to_neon.every_row_matched": True,
        "revalidation.every_row_judged": True,
        "promotions.nothing_promoted_twice": True,
        "promotions.nothing_lost": True,
    }
    assert metadata(promoted, "pushed_to_neon")["company_confirmed"] == 2
    judged = metadata(promoted, "revalidation")
    assert (judged["company_passed"], judged["company_failed"]) == (1, 1)
    assert judged["company_reasons"] == {"INVALID_WEBSITE": 1}
    assert judged["people_passed"] == 1, "its company is promoted in the same run"
    end = metadata(promoted, "promotions")
    assert (end["company_inserted"], end["company_updated"], end["company_held"]) == (1, 0, 0)
    assert end["people_inserted"] == 1
    assert picture(end).format == "PNG"
    assert observed(promoted)["company_invalid"] == {
        **observed(pulled)["company_invalid"],
        "dagster/row_count": 2,
        "still_invalid": 1,
    }
    master = wing.databases.master(passing)
    assert master
    assert master["website_url"] == "https://good.org"
    row = wing.databases.row(failing)
    assert row
    assert (row["enrichment_status"], row["reason_code"]) == ("failed", "INVALID_WEBSITE")
    untouched = wing.databases.row(waiting)
    assert untouched
    assert untouched["enrichment_status"] == "pending"
    kept = {
        stage: find_stage(wing.folder, promoted.run_id, stage, "company")
        for stage in ("push", "revalidate", "promote")
    }
    assert all(record and record.entity == "company" for record in kept.values())
    assert set(STAGES) >= {"invalid", "promoted"}


def test_a_person_waits_for_a_company_that_passed_and_did_not_arrive(wing: Wing) -> None:
    """What was promised by its verdict is asked of the master once more."""
    (company,) = wing.databases.add_companies(1)
    (person,) = wing.databases.add_invalid(invalid_person(company_unique_id=company))
    wing.prepare()
    wing.databases.complete(company, website="https://good.org")
    wing.databases.complete(person, email="adela@good.org")
    execute(
        wing.databases.neon,
        "ALTER TABLE marketing.company_master ADD CONSTRAINT theirs "
        "CHECK (website_url <> 'https://good.org')",
    )
    result = wing.promotion()
    assert result.success, failures(result)
    shown = metadata(result, "promotions")
    assert (shown["company_held"], shown["people_held"]) == (1, 1)
    assert shown["people_reasons"] == {"UNKNOWN_COMPANY": 1}
    assert wing.databases.master(person) is None
    row = wing.databases.row(person)
    assert row
    assert (row["enrichment_status"], row["reason_code"]) == ("failed", "UNKNOWN_COMPANY")


def test_a_second_pull_changes_nothing_and_says_so(wing: Wing) -> None:
    wing.databases.add_companies(2)
    wing.prepare()
    before = wing.databases.dump()
    again = wing.pull()
    shown = metadata(again, "company_needs_enrichment")
    assert {n: shown[n] for n in ("read", "inserted", "refreshed", "unchanged")} == {
        "read": 2,
        "inserted": 0,
        "refreshed": 0,
        "unchanged": 2,
    }
    after = wing.databases.dump()
    assert after[1] == before[1]
    assert {t for t in after[0] if after[0][t] != before[0][t]} <= {"shq_validation_log"}


@pytest.mark.parametrize("name", ["company_needs_enrichment", "people_needs_enrichment"])
def test_one_table_alone(wing: Wing, name: str) -> None:
    """As somebody chooses it in the UI; the other one stays as it is."""
    wing.databases.add_invalid(invalid_company(), invalid_person())
    result = wing.run(assets=[name])
    assert result.success, failures(result)
    assert materialized(result) == {name}
    other = {"company_needs_enrichment", "people_needs_enrichment"} - {name}
    counts = {
        table: fetch(wing.databases.workspace, f"SELECT count(*) FROM {table}")[0][0]
        for table in (name, *other)
    }
    assert counts == {name: 1, other.pop(): 0}


@pytest.mark.slow
def test_stages_alone_and_one_entity_alone(wing: Wing) -> None:
    """Each stage finds in the tables what the one before it left, in another run."""
    (company,) = wing.databases.add_companies(1)
    (person,) = wing.databases.add_invalid(invalid_person(company_unique_id=company))
    wing.prepare()
    wing.databases.complete(company, website="https://good.org")
    wing.databases.complete(person, email="adela@good.org")
    pushed = wing.run(
        assets=["pushed_to_neon"], config={"pushed_to_neon": {"entities": ["company"]}}
    )
    assert pushed.success, failures(pushed)
    shown = metadata(pushed, "pushed_to_neon")
    assert shown["company_confirmed"] == 1
    assert not any(name.startswith("people_") for name in shown)
    judged = wing.run(assets=["revalidation"])
    shown = metadata(judged, "revalidation")
    assert (shown["company_passed"], shown["people_judged"]) == (1, 0), "the person is not pushed"
    promoted = wing.run(assets=["promotions"])
    assert metadata(promoted, "promotions")["company_inserted"] == 1
    assert verdicts(promoted)["promotions.nothing_lost"], "this run judged nothing to compare with"
    assert wing.databases.master(person) is None
    assert wing.promotion().success
    assert wing.databases.master(person)


def test_chosen_ids(wing: Wing, tmp_path: Path) -> None:
    """One file for companies and people; ids of the other kind are not counted as not passed."""
    one, other = wing.databases.add_companies(2)
    wing.prepare()
    wing.databases.complete(one, other, website="https://good.org")
    assert wing.run(assets=["pushed_to_neon"]).success
    assert wing.run(assets=["revalidation"]).success
    ids = tmp_path / "ids.txt"
    ids.write_text(f"\ufeff{one}\r\n\r\n{person_id(7)}\n  {company_id(88_888)} \nnonsense\n")
    result = wing.run(assets=["promotions"], config={"promotions": {"ids_file": str(ids)}})
    assert result.success, failures(result)
    shown = metadata(result, "promotions")
    assert (shown["company_taken"], shown["company_not_passed"]) == (1, 2)
    assert (shown["people_taken"], shown["people_not_passed"]) == (0, 2)
    assert wing.databases.master(one)
    assert wing.databases.master(other) is None


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"entities": ["persons"]}, "'persons' is neither company nor people"),
        ({"batch_size": 0}, "the batch size is 0: choose 1 to 10000"),
        ({"batch_size": 10_001}, "the batch size is 10001: choose 1 to 10000"),
        ({"ids_file": "/nowhere/ids.txt"}, "the ids in /nowhere/ids.txt cannot be read: No such"),
        ({"ids_file": "UTF-16"}, "cannot be read: it is no UTF-8 text"),
    ],
)
def test_wrong_config_is_one_sentence(wing: Wing, tmp_path: Path, config: dict, said: str) -> None:
    if config.get("ids_file") == "UTF-16":
        config = {"ids_file": str(tmp_path / "ids.txt")}
        (tmp_path / "ids.txt").write_text(company_id(1), encoding="utf-16")
    before = wing.databases.dump()
    result = wing.run(assets=["promotions"], config={"promotions": config})
    assert not result.success
    assert said in failures(result)
    assert "Traceback" not in failures(result)
    after = wing.databases.dump()
    assert {t for t in after[0] if after[0][t] != before[0].get(t, [])} == set()


@pytest.mark.parametrize("missing", ["NEON_DATABASE_URL", "SUPABASE_DATABASE_URL"])
def test_one_database_alone_is_refused(
    wing: Wing, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    """Real records belong into no stand-in."""
    monkeypatch.delenv(missing)
    for result in (wing.pull(), wing.promotion()):
        assert not result.success
        assert f"{missing} is not" in failures(result)
    assert not (wing.product.data / "embedded").exists()


@pytest.mark.slow
def test_a_database_that_is_away_fails_in_one_sentence(
    wing: Wing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what the other one holds stays as it is."""
    wing.databases.add_companies(1)
    before = wing.databases.dump()
    port = free_port()
    monkeypatch.setenv(
        "SUPABASE_DATABASE_URL", f"postgresql://somebody:{CANARY}@127.0.0.1:{port}/workspace"
    )
    result = wing.pull()
    assert not result.success
    assert f"127.0.0.1:{port}/workspace cannot be reached (connection refused)" in failures(result)
    assert CANARY not in failures(result)
    assert wing.databases.dump() == before
    assert find_bytes(wing.product.data, CANARY) == []


@pytest.fixture
def impatient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second run waits for one second."""
    settings = tmp_path / "impatient.toml"
    settings.write_text("[locks]\nwait_seconds = 1\n")
    monkeypatch.setenv("OUTREACH_SETTINGS", str(settings))


@pytest.mark.usefixtures("impatient")
def test_a_second_run_says_who_holds_the_wing(wing: Wing) -> None:
    lock = NamedLock(wing.folder.lock, "enrichment")
    lock.acquire("run 4711", 0)
    try:
        result = wing.promotion()
    finally:
        lock.release()
    assert not result.success
    assert "enrichment is busy" in failures(result)
    assert "run 4711" in failures(result)
    assert wing.promotion().success, "the lock was let go"


def test_a_second_run_waits_for_the_first(wing: Wing) -> None:
    lock = NamedLock(wing.folder.lock, "enrichment")
    lock.acquire("run 4711", 0)
    released = threading.Event()

    def let_go() -> None:
        released.set()
        lock.release()

    timer = threading.Timer(1.5, let_go)
    timer.start()
    result = wing.promotion()
    timer.join()
    assert result.success, failures(result)
    assert released.is_set()


class Listener:
    """A web server that keeps what it is told, and answers as it is asked to."""

    def __init__(self) -> None:
        self.heard: list[dict] = []
        self.answer = 200
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                listener.heard.append(json.loads(self.rfile.read(length)))
                self.send_response(listener.answer)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook/{CANARY}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.close()


def test_the_webhook_is_told_once_a_run(
    wing: Wing, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("N8N_WEBHOOK_URL", listener.url)
    (company,) = wing.databases.add_companies(1)
    wing.databases.add_invalid(invalid_person())
    pulled = wing.pull()
    assert pulled.success, failures(pulled)
    (told,) = listener.heard
    assert (told["event"], told["run_id"]) == ("enrichment_pulled", pulled.run_id)
    assert (told["counts"]["company_inserted"], told["counts"]["people_inserted"]) == (1, 1)
    wing.databases.complete(company, website="https://good.org")
    promoted = wing.promotion()
    assert len(listener.heard) == 2
    told = listener.heard[1]
    assert (told["event"], told["run_id"]) == ("enrichment_promoted", promoted.run_id)
    assert told["counts"]["company_inserted"] == 1
    assert "good.org" not in json.dumps(told)
    assert wing.run(assets=["revalidation"]).success
    assert len(listener.heard) == 2, "nothing was pulled or promoted"
    assert wing.warnings(pulled) == []


def test_what_was_pulled_is_told_though_the_run_failed(
    wing: Wing, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("N8N_WEBHOOK_URL", listener.url)
    wing.databases.add_companies(1)
    execute(wing.databases.workspace, _REFUSE_PEOPLE)
    wing.databases.add_invalid(invalid_person())
    result = wing.pull()
    assert not result.success
    (told,) = listener.heard
    assert told["counts"]["company_inserted"] == 1
    assert not any(name.startswith("people") for name in told["counts"])


# Not the fault of a row, so that the stage ends.
_REFUSE_PEOPLE = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM 1 FROM nowhere; RETURN NEW; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON people_needs_enrichment
FOR EACH ROW EXECUTE FUNCTION refuse()
"""


@pytest.mark.parametrize(
    "fault",
    ["away", *(pytest.param(f, marks=pytest.mark.slow) for f in ("answers 500", "redirects"))],
)
def test_a_webhook_that_is_down_is_a_warning(
    wing: Wing, listener: Listener, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    listener.answer = {"away": 200, "answers 500": 500, "redirects": 302}[fault]
    away = f"http://127.0.0.1:{free_port()}/hook/{CANARY}"
    monkeypatch.setenv("N8N_WEBHOOK_URL", away if fault == "away" else listener.url)
    result = wing.pull()
    assert result.success
    (said,) = wing.warnings(result)
    assert said.startswith("the webhook at 127.0.0.1 was not told of enrichment_pulled")
    assert CANARY not in said
    assert find_bytes(wing.product.data, CANARY) == []


def test_no_secret_and_no_personal_data_in_events_logs_and_files(
    wing: Wing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names, addresses and e-mails of good, bad, poisonous and refused rows."""
    for name, url in (("NEON", wing.databases.neon), ("SUPABASE", wing.databases.workspace)):
        # The embedded server asks for no password, and takes any.
        given = DatabaseUrl({**url.params, "password": f"{CANARY}-password"})
        monkeypatch.setenv(f"{name}_DATABASE_URL", url_text(given))
    (company,) = wing.databases.add_companies(1, company_name=f"{CANARY} Mills")
    person, poison, gone = wing.databases.add_invalid(
        invalid_person(full_name=f"Ann {CANARY}", last_name=CANARY, company_unique_id=company),
        invalid_person(last_name=f"{CANARY}-poison"),
        invalid_person(last_name=f"{CANARY}-gone"),
    )
    execute(
        wing.databases.neon,
        "ALTER TABLE marketing.people_invalid ADD CONSTRAINT short "
        "CHECK (length(email) < 30 OR email IS NULL)",
    )
    wing.prepare()
    wing.databases.complete(company, website=f"https://{CANARY}.org")
    wing.databases.complete(person, email=f"{CANARY}@x.org", enrichment_notes=f"{CANARY} told me")
    wing.databases.complete(poison, email=f"{CANARY}-{'long' * 9}@x.org")
    wing.databases.complete(gone, email=f"{CANARY}@y.org")
    execute(wing.databases.neon, f"DELETE FROM marketing.people_invalid WHERE unique_id = '{gone}'")
    result = wing.run(PROMOTION)
    assert result.success, failures(result)
    assert metadata(result, "promotions")["company_inserted"] == 1
    problems = metadata(result, "pushed_to_neon")["problems"]
    assert [problem.partition(":")[0] for problem in problems] == [gone, poison]
    assert find_bytes(wing.product.data, CANARY) == []
    assert find_bytes(wing.product.data, poison), "the search does find what is there"
