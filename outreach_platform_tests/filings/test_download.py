import gzip
import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import duckdb
import pytest

from outreach_platform.filings.download import DownloadReport, download_new
from outreach_platform.filings.download_http import Pace
from outreach_platform.filings.layout import FilingFolder
from outreach_platform.filings.registry import register
from outreach_platform.filings.schema import create_sql
from outreach_platform.foundation.errors import OutreachError, SourceError, UsageError
from outreach_platform_tests.filings.written import put, submission

AGENT = "Oar Watch oars@example.org"
CIK = "0000912345"
FIRST, SECOND = "0001193125-24-000007", "0001193125-23-000004"
LIST = f"/submissions/CIK{CIK}.json"

Answer = Callable[[BaseHTTPRequestHandler], None]


def listing(*rows: tuple[str, str, str]) -> dict[str, list[str]]:
    """The columns of a list of filings: accession number, form, filing date."""
    return {
        "accessionNumber": [row[0] for row in rows],
        "form": [row[1] for row in rows],
        "filingDate": [row[2] for row in rows],
    }


def sends(body: bytes | str, status: int = 200, **headers: str) -> Answer:
    """An answer of a status and a body; headers with underscores for dashes."""
    raw = body.encode() if isinstance(body, str) else body

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        for name, value in {"Content-Length": str(len(raw)), **told}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(raw)

    return answer


class Edgar:
    """The SEC's servers on this machine: each address answers in turn, the last answer for ever."""

    def __init__(self) -> None:
        self.answers: dict[str, deque[Answer]] = {}
        self.asked: list[str] = []
        self.agents: set[str | None] = set()
        edgar = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                edgar.asked.append(self.path)
                edgar.agents.add(self.headers.get("User-Agent"))
                left = edgar.answers.get(self.path) or deque([sends("<html>404</html>", 404)])
                (left.popleft() if len(left) > 1 else left[0])(self)

            def log_message(self, *args: Any) -> None:
                """Stay silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def put(self, path: str, *answers: Answer) -> None:
        self.answers[path] = deque(answers)

    def lists(self, *rows: tuple[str, str, str], files: list[Any] | None = None) -> None:
        told = {"cik": CIK, "filings": {"recent": listing(*rows), "files": files or []}}
        self.put(LIST, sends(json.dumps(told)))

    def files(self, accession: str, *answers: Answer) -> str:
        path = f"/Archives/edgar/data/912345/{accession.replace('-', '')}/{accession}.txt"
        self.put(path, *(answers or (sends(submission(accession)),)))
        return path

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def edgar() -> Iterator[Edgar]:
    server = Edgar()
    yield server
    server.close()


@pytest.fixture
def folder(tmp_path: Path) -> FilingFolder:
    return FilingFolder(tmp_path / "data")


def fetch(edgar: Edgar, folder: FilingFolder, *ciks: str, **options: Any) -> DownloadReport:
    chosen = {"rate": 1000.0, "backoff": 0.001, "timeout": 5.0, "user_agent": AGENT, **options}
    return download_new(
        ciks or ("912345",), folder=folder, base_url=edgar.url, archive_url=edgar.url, **chosen
    )


def stands(folder: FilingFolder) -> list[str]:
    return sorted(path.name for path in folder.raw.iterdir()) if folder.raw.is_dir() else []


@pytest.mark.parametrize(
    "agent", ["", "  ", "python-requests", "Jane Doe", "a@b", "J\u00f6 j@x.org"]
)
def test_nobody_is_asked_without_a_name_and_an_address(agent: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="SEC_API_USER_AGENT") as error:
        download_new(["1"], user_agent=agent, folder=FilingFolder(tmp_path), base_url="http://x")
    assert error.value.exit_code == 2


def test_what_is_no_cik_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'AAPL' is no CIK"):
        download_new(["AAPL"], user_agent=AGENT, folder=FilingFolder(tmp_path), base_url="http://x")


def test_requests_go_out_evenly() -> None:
    now, slept = [100.0], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    pace = Pace(8, clock=lambda: now[0], sleep=sleep)
    for _ in range(17):
        pace.wait()
    assert now[0] == pytest.approx(102.0)
    assert max(slept) == pytest.approx(0.125)
    now[0] += 60
    before = len(slept)
    pace.wait()
    assert len(slept) == before


@pytest.mark.slow
def test_new_filings_come_whole_and_can_be_registered(
    edgar: Edgar, folder: FilingFolder, tmp_path: Path
) -> None:
    edgar.lists((FIRST, "10-K", "2024-02-15"), ("0001193125-24-000001", "8-K", "2024-01-02"))
    path = edgar.files(FIRST)
    told: list[str] = []
    report = fetch(edgar, folder, "912345", tell=told.append)
    assert (report.downloaded, report.present, report.failed) == ([FIRST], [], {})
    assert (report.problems, len(told)) == ([], 1)
    assert stands(folder) == [f"{FIRST}.txt.gz"]
    assert gzip.decompress((folder.raw / f"{FIRST}.txt.gz").read_bytes()) == submission()
    assert edgar.asked == [LIST, path]
    assert edgar.agents == {AGENT}
    with duckdb.connect(str(tmp_path / "x.duckdb")) as connection:
        connection.execute(create_sql("filings"))
        registered = register(connection, folder, [folder.raw], now=datetime.now(UTC))
    assert (registered.new, registered.refused) == ([FIRST], {})


@pytest.mark.slow
def test_what_stands_here_is_not_fetched_again(edgar: Edgar, folder: FilingFolder) -> None:
    edgar.lists((FIRST, "10-K", "2024-02-15"), (SECOND, "10-Q", "2023-08-01"))
    edgar.files(SECOND)
    put(folder.raw / "mine" / f"oars_{FIRST.replace('-', '')}.htm", b"x")
    report = fetch(edgar, folder)
    assert (report.downloaded, report.present) == ([SECOND], [FIRST])
    again = fetch(edgar, folder, CIK, "912345")
    assert (again.downloaded, again.present) == ([], [FIRST, SECOND])


@pytest.mark.slow
def test_older_lists_are_read_as_far_as_needed(edgar: Edgar, folder: FilingFolder) -> None:
    old = f"CIK{CIK}-submissions-001.json"
    edgar.lists(
        (FIRST, "10-K", "2024-02-15"),
        files=[{"name": old, "filingFrom": "1994-01-01", "filingTo": "2023-12-31"}],
    )
    page = listing(
        (SECOND, "10-K405", "2023-08-01"),
        ("0001193125-01-000001", "10-K", "2001-01-01"),
        ("bad", "10-K", "2001-01-01"),
    )
    edgar.put(f"/submissions/{old}", sends(json.dumps(page)))
    edgar.files(FIRST)
    edgar.files(SECOND)
    report = fetch(edgar, folder, since=date(2023, 1, 1))
    assert report.downloaded == [FIRST, SECOND]
    edgar.asked.clear()
    fetch(edgar, folder, since=date(2024, 1, 1))
    assert edgar.asked == [LIST]


@pytest.mark.slow
def test_an_unknown_company_is_told_and_the_others_go_on(
    edgar: Edgar, folder: FilingFolder
) -> None:
    edgar.lists((FIRST, "10-K", "2024-02-15"))
    edgar.files(FIRST)
    report = fetch(edgar, folder, "7", "912345")
    assert report.downloaded == [FIRST]
    assert report.problems == ["The SEC knows no company with CIK 0000000007; check the number."]


@pytest.mark.slow
@pytest.mark.parametrize(
    "first",
    [
        sends("", 429, Retry_After="0"),
        sends("", 500),
        sends("", 503),
        sends("<h1>SEC.gov | Request Rate Threshold Exceeded</h1>", 403),
        sends("<html><title>Maintenance</title></html>"),
        sends(submission(FIRST)[:-300]),
        sends(submission(FIRST)[:-300], Content_Length=str(len(submission(FIRST)))),
        sends(submission(SECOND)),
        sends(b"\x1f\x8bdamaged", Content_Encoding="gzip"),
    ],
    ids=["429", "500", "503", "403", "page", "cut", "broken-off", "other", "damaged"],
)
def test_what_passes_is_asked_for_again(edgar: Edgar, folder: FilingFolder, first: Answer) -> None:
    def closing(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        first(handler)

    edgar.lists((FIRST, "10-K", "2024-02-15"))
    path = edgar.files(FIRST, closing, sends(submission(FIRST)))
    report = fetch(edgar, folder)
    assert (report.downloaded, report.failed) == ([FIRST], {})
    assert edgar.asked.count(path) == 2
    assert stands(folder) == [f"{FIRST}.txt.gz"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answer", "reason", "times"),
    [
        (sends("", 500), "the server answered 500", 5),
        (sends("", 404), "it is not there (404)", 1),
        (sends("", 403), "the server answered 403", 1),
        (sends("", 301, Location="http://127.0.0.1:1/"), "the server answered 301", 1),
        (sends("<html>no</html>"), "its closing tag is missing", 5),
        (sends(submission(SECOND)), f"another filing, {SECOND}", 5),
    ],
    ids=["500", "404", "403", "301", "page", "other"],
)
def test_one_broken_filing_does_not_stop_the_others(
    edgar: Edgar, folder: FilingFolder, answer: Answer, reason: str, times: int
) -> None:
    edgar.lists((FIRST, "10-K", "2024-02-15"), (SECOND, "10-Q", "2023-08-01"))
    path = edgar.files(FIRST, answer)
    edgar.files(SECOND)
    report = fetch(edgar, folder)
    assert report.downloaded == [SECOND]
    assert reason in report.failed[FIRST]
    assert report.problems[0].startswith(f"{FIRST} of CIK {CIK} was not fetched: ")
    assert edgar.asked.count(path) == times
    assert stands(folder) == [f"{SECOND}.txt.gz"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answer", "times"),
    [
        (sends("", 429, Retry_After="86400"), 1),
        (sends("", 429), 5),
        (sends("<h1>SEC.gov | Request Rate Threshold Exceeded</h1>", 403), 5),
    ],
    ids=["later", "429", "403"],
)
def test_who_is_asked_to_pause_leaves_the_rest(
    edgar: Edgar, folder: FilingFolder, answer: Answer, times: int
) -> None:
    edgar.lists((FIRST, "10-K", "2024-02-15"), (SECOND, "10-Q", "2023-08-01"))
    path = edgar.files(FIRST, answer)
    edgar.files(SECOND)
    report = fetch(edgar, folder, CIK, "7")
    assert (report.downloaded, report.failed, len(report.problems)) == ([], {}, 1)
    assert "cannot be asked now" in report.problems[0]
    assert edgar.asked == [LIST, *[path] * times]
    edgar.files(FIRST)
    assert fetch(edgar, folder).downloaded == [FIRST, SECOND]


@pytest.mark.slow
def test_a_silent_server_is_not_waited_for(edgar: Edgar, folder: FilingFolder) -> None:
    let_go = threading.Event()
    edgar.lists((FIRST, "10-K", "2024-02-15"))
    edgar.files(FIRST, lambda _handler: let_go.wait(20) and None)
    try:
        report = fetch(edgar, folder, timeout=0.05)
    finally:
        let_go.set()
    assert report.failed == {FIRST: "no answer within 0.05 s"}


@pytest.mark.slow
def test_a_slow_server_is_waited_for(edgar: Edgar, folder: FilingFolder) -> None:
    body = submission(FIRST)

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        for start in range(0, len(body), 400):
            handler.wfile.write(body[start : start + 400])
            handler.wfile.flush()
            time.sleep(0.02)

    edgar.lists((FIRST, "10-K", "2024-02-15"))
    edgar.files(FIRST, drip)
    assert fetch(edgar, folder).downloaded == [FIRST]


@pytest.mark.slow
@pytest.mark.parametrize(
    "body", ["", "<html></html>", "[]", "{}", '{"filings": {"recent": {"form": []}}}']
)
def test_a_list_of_another_form_is_told(edgar: Edgar, folder: FilingFolder, body: str) -> None:
    edgar.put(LIST, sends(body))
    report = fetch(edgar, folder)
    assert f"The list of filings of CIK {CIK} was not fetched" in report.problems[0]
    assert report.downloaded == []


@pytest.mark.slow
def test_a_name_that_the_sec_refuses_stops_at_once(edgar: Edgar, folder: FilingFolder) -> None:
    edgar.put(
        LIST,
        sends(
            "<title>SEC.gov | Your Request Originates from an Undeclared Automated Tool</title>",
            403,
        ),
    )
    with pytest.raises(SourceError, match="SEC_API_USER_AGENT"):
        fetch(edgar, folder)
    assert edgar.asked == [LIST]


@pytest.mark.slow
def test_a_server_that_is_away_is_told(edgar: Edgar, folder: FilingFolder) -> None:
    edgar.close()
    report = fetch(edgar, folder)
    assert "no connection" in report.problems[0]


@pytest.mark.slow
def test_a_folder_that_refuses_is_a_sentence(edgar: Edgar, folder: FilingFolder) -> None:
    edgar.lists((FIRST, "10-K", "2024-02-15"))
    edgar.files(FIRST)
    put(folder.data_dir, b"a file where the folder should be")
    with pytest.raises(OutreachError, match="cannot be written"):
        fetch(edgar, folder)
