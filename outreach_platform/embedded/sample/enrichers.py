"""A stand-in for the people who complete records, so that the demo's round trip closes.

It edits the sample's workspace as they would: a website that follows from the domain or the name,
an e-mail, a title. Everything it touches is marked as its own. It does not know the name of a
company that has none, so that such a record, completed all the same, fails when it is judged again.
"""

from dataclasses import dataclass

from psycopg2.extensions import cursor as Cursor

from outreach_platform.embedded.sample.marker import read_marker
from outreach_platform.embedded.sample.words import PLACEHOLDERS
from outreach_platform.foundation.errors import SourceError, UsageError
from outreach_platform.foundation.postgres.connection import connect
from outreach_platform.foundation.postgres.shape import Shape, clock, shape_of
from outreach_platform.foundation.postgres.url import DatabaseUrl
from outreach_platform.foundation.warehouse import quote_text

STAND_IN = "sample stand-in"
"""What `enriched_by` says of every row that it touched."""

_COMPLETE_PERCENT, _IN_PROGRESS_PERCENT = 60, 10
_MARKER = "public.sample_info"
_DONE = f"{STAND_IN}, no person: invented what was missing"
_AT_WORK = f"{STAND_IN}, no person: still looking"


def _missing(column: str) -> str:
    """SQL: null, blank or a placeholder."""
    known = ", ".join(map(quote_text, ("", *PLACEHOLDERS)))
    return f"(lower(btrim(coalesce({column}, ''), E' \\t\\r\\n')) IN ({known}))"


def _slug(column: str, apart: str) -> str:
    """SQL: the ASCII letters and digits of a text, without their accents, for a host or mailbox."""
    plain = rf"regexp_replace(lower(normalize({column}, NFKD)), '[\u0300-\u036f'']', '', 'g')"
    words = f"regexp_replace({plain}, '[^a-z0-9]+', '{apart}', 'g')"
    return f"nullif(btrim(left({words}, 40), '{apart}'), '')"


_NAME = f"CASE WHEN NOT {_missing('w.company_name')} THEN {_slug('w.company_name', '-')} END"
_WEBSITE = f"""
CASE WHEN NOT {_missing("w.website")} AND strpos(w.website, '.') > 0 THEN w.website
     WHEN btrim(w.domain) ~* '^[a-z0-9-]+([.][a-z0-9-]+)+$'
         THEN 'https://www.' || regexp_replace(lower(btrim(w.domain)), '^www[.]', '')
     ELSE 'https://www.' || coalesce({_NAME}, 'site-' || left(md5(w.company_unique_id), 8))
         || '.example' END
"""
_PERSON = f"""coalesce(
    {_slug("concat_ws(' ', w.first_name, w.last_name)", ".")}, {_slug("w.full_name", ".")},
    'person-' || left(md5(w.unique_id), 8))"""
# Addresses at example.com and its like are refused when they are judged again; .test is not.
_EMAIL = f"""
CASE WHEN w.email ~ '^[A-Za-z0-9._%%+-]+@[A-Za-z0-9.-]+[.][A-Za-z]{{2,}}$'
         AND w.email !~* '[@.]example[.](com|org|net)$' THEN w.email
     ELSE {_PERSON} || '@' || coalesce({_NAME}, 'post') || '.test' END
"""
# Who has a title keeps it: one that names no slot is for those to see who run the demo.
_TITLE = f"""
CASE WHEN NOT {_missing("w.title")} THEN w.title
     ELSE (ARRAY['Chief Executive Officer', 'Chief Financial Officer', 'HR Director'])
         [1 + d.draw %% 3] END
"""


@dataclass(frozen=True)
class _Desk:
    """One of the workspace's tables, and what is filled in there.

    Attributes:
        entity: `company` or `people`.
        key: the business key.
        edits: SQL by column; `w` is the row, `d.draw` a number from 0 to 99 drawn for it.
    """

    entity: str
    table: str
    key: str
    edits: dict[str, str]


_DESKS = (
    _Desk("company", "company_needs_enrichment", "company_unique_id", {"website": _WEBSITE}),
    _Desk("people", "people_needs_enrichment", "unique_id", {"email": _EMAIL, "title": _TITLE}),
)


def stand_in(
    supabase: DatabaseUrl, *, seed: int = 7, everything: bool = False
) -> dict[str, dict[str, int]]:
    """Complete part of the sample's pending records, in one transaction.

    Rows that somebody has taken up are left alone: another status, a name in enriched_by, a note,
    or a promotion. Which of the others are taken follows from seed and key, so that a second call
    changes nothing.

    Args:
        supabase: the workspace of an embedded sample.
        seed: another one takes other rows.
        everything: complete all rows instead of about 60 % (and begin on about 10 %).

    Returns:
        By entity (`company`, `people`): rows that this call completed (`complete`) and began on
        (`in_progress`), and rows that are `pending` after it.

    Raises:
        UsageError: the database is no sample's; nothing is ever invented in a real workspace.
        SourceError: a table of the workspace is missing or has another shape.
        SourceUnavailableError: the database cannot be reached.
    """
    complete = 100 if everything else _COMPLETE_PERCENT
    taken = 100 if everything else complete + _IN_PROGRESS_PERCENT
    with connect(supabase) as connection, connection.cursor() as cursor:
        if read_marker(cursor, _MARKER) is None:
            raise UsageError(
                f"{supabase.display} holds no sample: the stand-in invents data and works on the "
                "embedded sample alone; records of your own are for people to complete"
            )
        return {
            desk.entity: _sit_down(cursor, desk, seed=seed, complete=complete, taken=taken)
            for desk in _DESKS
        }


def _sit_down(
    cursor: Cursor, desk: _Desk, *, seed: int, complete: int, taken: int
) -> dict[str, int]:
    """Edit one table's rows whose draw is below `complete` or `taken`; counts by status."""
    shape = shape_of(cursor, "public", desk.table)
    if not shape:
        raise SourceError(
            f"there is no table public.{desk.table}: run `outreach enrich pull`, which makes it"
        )
    parameters = {
        "draws": f"enrichers/{seed}/",
        "complete": complete,
        "taken": taken,
        "by": STAND_IN,
        "done": _DONE,
        "at_work": _AT_WORK,
    }
    cursor.execute(_edit(desk, shape), parameters)
    statuses = [status for (status,) in cursor.fetchall()]
    cursor.execute(f"SELECT count(*) FROM public.{desk.table} WHERE enrichment_status = 'pending'")
    ((pending,),) = cursor.fetchall()
    return {
        "complete": statuses.count("complete"),
        "in_progress": statuses.count("in_progress"),
        "pending": pending,
    }


def _edit(desk: _Desk, shape: Shape) -> str:
    """One UPDATE of all rows that are taken; its conditions are asked again of a row just changed.

    PostgreSQL's md5 draws, because its hash functions may differ between versions.
    """
    done = "d.draw < %(complete)s"
    edits = ", ".join(
        f"{column} = CASE WHEN {done} THEN {value} ELSE w.{column} END"
        for column, value in desk.edits.items()
    )
    unpromoted = "AND w.promoted_at IS NULL" if "promoted_at" in shape else ""
    return f"""
    UPDATE public.{desk.table} AS w
    SET {edits},
        enrichment_status = CASE WHEN {done} THEN 'complete' ELSE 'in_progress' END,
        enrichment_notes = CASE WHEN {done} THEN %(done)s ELSE %(at_work)s END,
        enriched_by = %(by)s,
        enriched_at = CASE WHEN {done} THEN {clock(shape, "enriched_at")} END
    FROM (SELECT {desk.key} AS key,
              ('x' || left(md5(%(draws)s || {desk.key}), 8))::bit(32)::bigint %% 100 AS draw
          FROM public.{desk.table}) AS d
    WHERE d.key = w.{desk.key} AND d.draw < %(taken)s AND w.enrichment_status = 'pending'
        AND w.enriched_by IS NULL AND coalesce(w.enrichment_notes, '') = '' {unpromoted}
    RETURNING w.enrichment_status
    """
