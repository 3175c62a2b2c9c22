"""Addresses: every form people write, and a password that is shown nowhere."""

import pickle
import traceback

import psycopg2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg2.extensions import parse_dsn

from outreach_platform.foundation.errors import UsageError
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.foundation.redaction import redact
from outreach_platform_tests.support.postgres import execute, fetch

CANARY = "canary-pässword"

GOOD = [
    (
        "postgresql://u:s3cr3t@db.example:6543/app",
        {"user": "u", "password": "s3cr3t", "host": "db.example", "port": "6543", "dbname": "app"},
    ),
    ("postgres://u@h/app", {"user": "u", "host": "h", "dbname": "app"}),
    ("postgresql://h/Marketing DB", {"host": "h", "dbname": "Marketing DB"}),
    ("postgresql://h/Marketing%20DB", {"host": "h", "dbname": "Marketing DB"}),
    ("postgresql://u:p%40s%2Fs%3Aw%25d@h/a", {"password": "p@s/s:w%d", "host": "h"}),
    ("postgresql://u:a+b#c:e@h/a", {"password": "a+b#c:e", "host": "h"}),
    ("postgresql://u@h/a?password=a+b%26c", {"password": "a+b&c"}),
    ("postgresql:///a?host=/tmp/some%20socket&port=6000", {"host": "/tmp/some socket"}),
    ("postgresql://%2Ftmp%2Fsock/a", {"host": "/tmp/sock"}),
    ("postgresql://u@[::1]:5433/a", {"host": "::1", "port": "5433"}),
    ("postgresql://h1:1,h2:2/a", {"host": "h1,h2", "port": "1,2"}),
    ("  postgresql://h/a\n", {"host": "h", "dbname": "a"}),
    ('"postgresql://u:p@h/a"', {"host": "h", "dbname": "a", "password": "p"}),
    ("'host=h dbname=a'", {"host": "h", "dbname": "a"}),
    ("host=h dbname='my db' password='p q'", {"host": "h", "dbname": "my db", "password": "p q"}),
    ("host=h password=mysql://x", {"host": "h", "password": "mysql://x"}),
    ("service=mine", {"service": "mine"}),
    ("postgresql://h/a?sslmode=require&connect_timeout=3", {"sslmode": "require"}),
]
BAD = [
    *("", "   ", "postgresql://", "garbage", "host", "=", "host=h port=many", "''", "'"),
    *("mysql://u:{}@h/a", "http://u:{}@h", "postgresql+psycopg2://u:{}@h/a"),
    *("postgresql://u:{}/x@h/a", "postgresql://u:{}@x@h/a", "postgresql://u:{}@h:port/a"),
    *("postgresql://u:12?schema={}@h/a", "postgresql://u:{}?x@h/a", "postgresql://u:12/{}@h/a"),
    *(
        "postgresql://u:{}%zz@h/a",
        "postgresql://u:{}@h/a?colour=blue",
        "psql 'postgresql://u:{}@h'",
    ),
    *("host=h password={} what", "password={} x://y", "host=h password='{}"),
]


@pytest.mark.parametrize(("text", "expected"), GOOD)
def test_forms(text: str, expected: dict[str, str]) -> None:
    params = DatabaseUrl.parse(text).params
    assert {key: params.get(key) for key in expected} == expected


@pytest.mark.parametrize(("text", "expected"), GOOD)
def test_libpq_reads_the_connection_string_alike(text: str, expected: dict[str, str]) -> None:
    conninfo = DatabaseUrl.parse(text).conninfo
    assert expected.items() <= parse_dsn(conninfo).items()
    assert parse_dsn(conninfo)["application_name"] == "outreach"


@pytest.mark.parametrize("text", BAD)
def test_no_address_is_refused_without_quoting_it(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        DatabaseUrl.parse(text.format(CANARY), "NEON_DATABASE_URL")
    assert str(caught.value).startswith("NEON_DATABASE_URL is no PostgreSQL address")
    assert "canary" not in "".join(traceback.format_exception(caught.value))


def test_prisma_parameters_are_dropped_and_the_schema_kept() -> None:
    url = DatabaseUrl.parse(
        "postgresql://u:p@h/a?schema=my%20schema&pgbouncer=true&connection_limit=1&pool_timeout=2"
        "&socket_timeout=3&statement_cache_size=0&sslmode=disable"
    )
    assert url.schema == "my schema"
    assert set(url.params) == {"user", "password", "host", "dbname", "sslmode"}
    assert DatabaseUrl.parse("postgresql://h/a?schema=public").params == {
        "host": "h",
        "dbname": "a",
    }
    assert DatabaseUrl.parse("postgresql://h/a?schema=").schema is None
    assert DatabaseUrl.parse("postgresql://h/a").schema is None


def test_parts() -> None:
    url = DatabaseUrl.from_parts(host="h", dbname="Marketing DB", user="u", password="p'\\ w")
    assert parse_dsn(url.conninfo) == {
        "host": "h",
        "dbname": "Marketing DB",
        "user": "u",
        "password": "p'\\ w",
        "sslmode": "require",
        "application_name": "outreach",
    }


@pytest.mark.parametrize(
    ("host", "name", "port", "tls"),
    [
        ("db.example", "db.example", None, True),
        (" db.example:6543 ", "db.example", "6543", True),
        ("127.0.0.1:1", "127.0.0.1", "1", False),
        ("localhost", "localhost", None, False),
        ("[::1]:5", "::1", "5", False),
        ("::1", "::1", None, False),
        ("2001:db8::1", "2001:db8::1", None, True),
        ("/var/run/a:b", "/var/run/a:b", None, False),
    ],
)
def test_hosts_of_parts(host: str, name: str, port: str | None, tls: bool) -> None:
    params = DatabaseUrl.from_parts(host=host, dbname="d", user="u", password="pw").params
    assert (params["host"], params.get("port")) == (name, port)
    assert (params.get("sslmode") == "require") is tls


@pytest.mark.parametrize(
    "host", ["", ":5", "h:port", "[::1]5", "postgresql://u:{}@h/a", "u:{}@h", "{}@h", "a b", "h/d"]
)
def test_no_host_is_refused_without_quoting_it(host: str) -> None:
    with pytest.raises(UsageError, match="NEON_HOST") as caught:
        DatabaseUrl.from_parts(host=host.format(CANARY), dbname="d", user="u", password="pw")
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        DatabaseUrl.parse(f"postgresql://u:{CANARY}@h:5/a%20b"),
        DatabaseUrl.parse(f"host=h port=5 dbname='a b' user=u password='{CANARY}'"),
        DatabaseUrl.from_parts(host="h:5", dbname="a b", user="u", password=CANARY),
        DatabaseUrl.parse(f"postgresql://u:{CANARY}@h:5/x").with_database("a b"),
    ],
)
def test_the_password_is_shown_nowhere(url: DatabaseUrl) -> None:
    for text in (repr(url), str(url), url.display, f"{url}", repr([url])):
        assert "canary" not in text
    assert url.display == "h:5/a b"
    assert CANARY in url.conninfo
    assert "canary" not in redact(url.conninfo)
    assert pickle.loads(pickle.dumps(url)) == url


def test_display_of_little() -> None:
    assert DatabaseUrl.parse("postgresql:///a").display == "localhost/a"
    assert DatabaseUrl.parse("hostaddr=10.0.0.1 dbname=a").display == "10.0.0.1/a"


PASSWORDS = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters="\x00"), min_size=1, max_size=20
)


@given(PASSWORDS)
def test_any_password_survives_and_is_redacted_in_every_form(password: str) -> None:
    from urllib.parse import quote

    whole = f"pw-{password}-pw"
    url = DatabaseUrl.parse(f"postgresql://u:{quote(whole, safe='')}@h/a")
    assert url.params["password"] == whole
    assert parse_dsn(url.conninfo)["password"] == whole
    for text in (whole, quote(whole, safe=""), url.conninfo, repr(whole), f"x {whole}\ny"):
        assert "pw-" not in redact(text)


@given(st.text(max_size=40))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        url = DatabaseUrl.parse(text)
    except UsageError:
        return
    assert parse_dsn(url.conninfo)


def test_a_database_name_with_a_space_is_reached(neon_url: DatabaseUrl) -> None:
    execute(neon_url, 'CREATE DATABASE "Marketing DB"')
    try:
        host, user = neon_url.params["host"], neon_url.params["user"]
        port = neon_url.params["port"]
        for text in (
            f"postgresql://{user}@/Marketing DB?host={host}&port={port}&schema=public",
            f"postgresql://{user}@/Marketing%20DB?host={host}&port={port}",
            f"host={host} port={port} user={user} dbname='Marketing DB'",
        ):
            found = fetch(DatabaseUrl.parse(text), "SELECT current_database()")
            assert found == [("Marketing DB",)]
        with pytest.raises(psycopg2.OperationalError):
            fetch(DatabaseUrl.parse(f"host={host} port={port} user={user} dbname=Marketing"), "")
    finally:
        execute(neon_url, 'DROP DATABASE "Marketing DB"')
