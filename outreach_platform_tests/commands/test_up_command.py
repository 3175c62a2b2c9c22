"""`outreach up --host`: where the UI listens, and what is said when others reach it."""

import socket
from pathlib import Path

import pytest

from outreach_platform.foundation.errors import EXIT_USAGE
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform_tests.support.product import Inside, Product, url_text

# Reserved for documentation: no machine has it, so nothing is ever served there.
ELSEWHERE = "203.0.113.1"


@pytest.fixture
def up(tmp_path: Path, neon_url: DatabaseUrl, capsys: pytest.CaptureFixture[str]) -> Inside:
    """The command on a configured database, so that no embedded one is started."""
    return Inside(Product(tmp_path, {"NEON_DATABASE_URL": url_text(neon_url)}), capsys)


def test_another_address_is_taken_with_a_warning(up: Inside) -> None:
    done = up("up", "--host", ELSEWHERE, "--port", "3999")
    assert done.code == EXIT_USAGE
    assert f"port 3999 on {ELSEWHERE} cannot be used" in done.err
    assert f"the UI listens on {ELSEWHERE} and asks nobody for a password" in done.err


def test_this_machine_only_is_the_default_and_needs_no_warning(up: Inside) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = up("up", "--port", str(port))
    assert done.code == EXIT_USAGE
    assert f"port {port} on 127.0.0.1 cannot be used" in done.err
    assert "password" not in done.err
