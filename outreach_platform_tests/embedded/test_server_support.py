"""The servers that tests use are real and leave nothing behind."""

import psycopg2
import pytest

from outreach_platform_tests.support.postgres import (
    drop_database,
    execute,
    fetch,
    fresh_database,
    password_server,
)


def test_each_test_has_an_empty_database_of_its_own(neon_url, pg_server):
    assert fetch(neon_url, "SELECT count(*) FROM pg_class WHERE relnamespace = 2200") == [(0,)]
    execute(neon_url, "CREATE TABLE mark (id int)")
    assert neon_url.params["dbname"] not in ("neon", "postgres")
    assert fetch(pg_server.url("neon"), "SELECT to_regclass('mark')") == [(None,)]


def test_a_copy_of_a_template_holds_its_rows_and_can_be_dropped(neon_url, pg_server):
    execute(neon_url, "CREATE TABLE mark AS SELECT 7 AS id")
    copy = fresh_database(pg_server, 'copy of; "it"', template=neon_url.params["dbname"])
    held = psycopg2.connect(copy.conninfo)
    assert fetch(copy, "SELECT id FROM mark") == [(7,)]
    drop_database(pg_server, 'copy of; "it"')
    with pytest.raises(psycopg2.OperationalError, match="does not exist"):
        fetch(copy, "SELECT 1")
    held.close()


@pytest.mark.slow
def test_password_server_takes_the_right_password_only():
    with password_server() as server:
        assert fetch(server.url(), "SELECT current_user") == [("outreach",)]
        with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
            fetch(server.url("wrong-one"), "SELECT 1")
        url = server.url()
    with pytest.raises(psycopg2.OperationalError, match="refused"):
        fetch(url, "SELECT 1")
