"""A run from the register to the published database, and what keeps it from being published."""

from pathlib import Path

import duckdb
import pytest

from outreach_platform.embedded.sample import write_filings
from outreach_platform.filings.database import writer
from outreach_platform.filings.run import FilingsRun
from outreach_platform.foundation.errors import IntegrityError, UsageError
from outreach_platform.settings import load_settings

pytestmark = pytest.mark.slow

OLD = "0009990003-98-000002"


def new_run(data: Path, name: str = "first") -> FilingsRun:
    return FilingsRun(settings=load_settings(data_dir=data), run_id=name)


@pytest.fixture
def run(tmp_path: Path) -> FilingsRun:
    """The old sample filing, read and published."""
    run = new_run(tmp_path)
    write_filings(run.folder.raw)
    run.register(download=False)
    run.extract(years=[1998], workers=1)
    run.merge()
    assert run.publish(run.judge()[1])
    return run


def published(run: FilingsRun, sql: str) -> list[tuple]:
    with duckdb.connect(str(run.folder.published), read_only=True) as connection:
        return connection.execute(sql).fetchall()


@pytest.mark.parametrize(
    ("harm", "check"),
    [
        ("INSERT INTO sections FROM sections LIMIT 1", "no_duplicates"),
        ("UPDATE chunks SET section_id = 'nobody' WHERE chunk_level = 2", "referential_integrity"),
        ("UPDATE chunks SET chunk_text = 'other' WHERE chunk_level = 3", "coverage"),
        ("UPDATE tables SET id = md5(id)", "stable_ids"),
    ],
)
def test_a_harmed_database_is_not_published_and_the_one_before_stays(
    harm: str, check: str, run: FilingsRun
) -> None:
    before = run.folder.published.read_bytes()
    with writer(run.folder) as connection:
        connection.execute(harm)
    judged = run.judge()[1]
    assert check in {verdict.name for verdict in judged if not verdict.passed}
    with pytest.raises(IntegrityError, match=f"is not published.*{check}"):
        run.publish(judged)
    assert run.folder.published.read_bytes() == before


def test_nothing_new_is_not_published_again(run: FilingsRun) -> None:
    assert not run.publish(run.judge()[1])
    assert run.publish(run.judge()[1], anew=True)


def test_a_clean_up_that_leaves_the_keys_alone_is_published(run: FilingsRun) -> None:
    """Duplicates go and orphans go; what people open shows it."""
    with writer(run.folder) as connection:
        connection.execute("INSERT INTO chunks FROM chunks WHERE chunk_level = 3")
    count = published(run, "SELECT count(*) FROM chunks")
    record = new_run(run.settings.data_dir, "upkeep").maintain(
        dedupe=True, compact=True, foreign=None
    )
    assert record.backup is not None and Path(record.backup).exists()
    assert published(run, "SELECT count(*) FROM chunks") == count
    assert published(run, "SELECT duplicates FROM data_health") == [(0,)]
    again = new_run(run.settings.data_dir, "again").maintain(
        dedupe=True, compact=False, foreign=None
    )
    assert (again.backup, again.message) == (None, "nothing was to be removed")


def test_merging_without_an_extraction_is_refused(run: FilingsRun) -> None:
    with pytest.raises(IntegrityError, match="has extracted nothing"):
        new_run(run.settings.data_dir, "other").merge()


def test_a_company_to_fetch_needs_somebody_who_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SEC_API_USER_AGENT", raising=False)
    run = new_run(tmp_path)
    with pytest.raises(UsageError, match="SEC_API_USER_AGENT is not set"):
        run.register(ciks=["320193"])
    assert run.register(ciks=["320193"], download=False).downloaded == 0


def test_an_amendment_of_bytes_is_read_anew_and_keeps_its_ids(run: FilingsRun) -> None:
    ids = published(run, "SELECT id FROM sections ORDER BY 1")
    raw = run.folder.raw / f"{OLD}.txt"
    raw.write_text(raw.read_text().replace("kettles", "teapots"))
    again = new_run(run.settings.data_dir, "again")
    assert again.register(download=False).updated == [OLD]
    again.extract(years=[1998], workers=1)
    assert not again.merge().failed
    again.publish(again.judge()[1])
    assert published(run, "SELECT id FROM sections ORDER BY 1") == ids
    assert published(run, "SELECT count(*) FROM chunks WHERE chunk_text LIKE '%kettles%'") == [(0,)]
    assert published(run, "SELECT count(*) > 0 FROM chunks WHERE chunk_text LIKE '%teapots%'") == [
        (True,)
    ]
