"""`outreach verify` and `restore` as scripts meet them: exit codes, stdout, runs in the UI."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from outreach_platform.embedded.server import EmbeddedServer
from outreach_platform_tests.support.postgres import drop_database, fresh_database
from outreach_platform_tests.support.product import Inside, Product
from outreach_platform_tests.support.published import TwoVersions, publish_twice

pytestmark = pytest.mark.slow


@pytest.fixture
def two(pg_server: EmbeddedServer, tmp_path: Path) -> Iterator[TwoVersions]:
    url = fresh_database(pg_server, "restore_command")
    yield publish_twice(url, tmp_path / "data")
    drop_database(pg_server, "restore_command")


def test_damage_is_found_restored_and_gone(
    two: TwoVersions, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    product = Product(tmp_path)
    outreach = Inside(product, capsys)
    asked = ("restore", "--state", "wv", "--json", "--version")

    fine = outreach("verify", "--json")
    assert (fine.code, [row["status"] for row in fine.rows]) == (0, ["intact", "intact"])

    two.folder.export(two.new, "people_bad").unlink()
    bad = outreach("verify", "--state", "WV", "--json")
    assert (bad.code, [row["disk"] for row in bad.rows]) == (1, ["intact", "damaged"])
    assert "verifying" in bad.err

    (elsewhere,) = outreach(*asked, two.new, "--to", str(tmp_path / "to")).rows
    assert len(elsewhere["put_back"]) == 5
    assert not two.folder.export(two.new, "people_bad").exists()

    (back,) = outreach(*asked, two.new).rows
    assert (back["status"], len(back["put_back"])) == ("restored", 1)
    assert outreach("verify").code == 0

    two.object("people_bad").unlink()
    assert outreach("verify").code == 1
    old, new = outreach("verify", "--upload", "--json").rows
    key = two.folder.object_key(two.new, "people_bad")
    assert (old["sent"], new["sent"], new["status"]) == ([], [key], "intact")

    unknown = outreach(*asked, "20200101000000")
    assert (unknown.code, unknown.out) == (2, "")
    assert f"choose one of {two.new}, {two.old}" in unknown.err
    assert outreach("verify", "--state", "ZZ").code == 2

    with product.here() as instance:
        runs = [(run.job_name, run.is_success) for run in instance.get_runs()]
    assert sorted(runs) == [
        *([("restore_job", True)] * 2),
        *([("verify_job", False)] * 2),
        *([("verify_job", True)] * 3),
    ]
