"""Values of a foreign database as ours write them, as DuckDB expressions over a column."""

ACCESSION = r"^\d{10}-\d{2}-\d{6}$"
_ROMAN = {"1": "i", "2": "ii", "3": "iii", "4": "iv"}
_LEVELS = {"section": 1, "topic": 2, "paragraph": 3}
_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE", "DECIMAL")
# Later than this in seconds is the year 5138: the number counts milliseconds.
_SECONDS = 100_000_000_000


def accession_sql(column: str) -> str:
    """18 bare digits get their dashes; anything else stays as it is."""
    bare = f"trim({column}::VARCHAR)"
    return (
        f"CASE WHEN regexp_matches({bare}, '^\\d{{18}}$') "
        f"THEN concat_ws('-', {bare}[1:10], {bare}[11:12], {bare}[13:18]) ELSE {bare} END"
    )


def item_sql(column: str) -> str:
    """`Item 1A.`, `ITEM_1A`, `1a` and the like as `item_1a`; null where it names no item."""
    pattern = r"^\s*(?:item)?[\s_.:-]*0?(1?[0-9])\s*[\s_.(-]?\s*([abc])?\)?[\s.:]*$"
    number, letter = (
        f"regexp_extract(lower({column}::VARCHAR), '{pattern}', {group})" for group in (1, 2)
    )
    return f"CASE WHEN {number} NOT IN ('', '0') THEN 'item_' || {number} || {letter} END"


def part_sql(column: str) -> str:
    """`Part II`, `PART_2`, `ii` and the like as `part_ii`; null where it names no part."""
    bare = f"regexp_replace(lower({column}::VARCHAR), '^\\s*(part)?[\\s_.:-]*|[\\s.]+$', '', 'g')"
    cases = " ".join(
        f"WHEN {bare} IN ('{digit}', '{roman}') THEN 'part_{roman}'"
        for digit, roman in _ROMAN.items()
    )
    return f"CASE {cases} END"


def level_sql(column: str) -> str:
    """1 to 3, also from the names of the levels."""
    names = " ".join(f"WHEN '{name}' THEN {level}" for name, level in _LEVELS.items())
    return (
        f"CASE WHEN try_cast({column} AS INTEGER) BETWEEN 1 AND 3 THEN try_cast({column} AS "
        f"INTEGER) ELSE CASE lower({column}::VARCHAR) {names} END END"
    )


def form_sql(column: str) -> str:
    """`10k`, `10-k/a` and the like as `10-K/A`; other forms in capitals."""
    bare = f"upper(regexp_replace({column}::VARCHAR, '\\s', '', 'g'))"
    return f"nullif(regexp_replace({bare}, '^10-?([KQ])', '10-\\1'), '')"


def cast_sql(column: str, source: str, target: str) -> str:
    """A column of type `source` as `target`; null where a value does not fit.

    Args:
        column: an expression.
        source: DuckDB's name of its type.
        target: a type of `schema.COLUMNS`.
    """
    if target == "JSON":
        if source in ("VARCHAR", "JSON"):
            text = f"{column}::VARCHAR"
            return (
                f"CASE WHEN {column} IS NULL OR {text} = '' THEN NULL WHEN json_valid({text}) "
                f"THEN {text}::JSON ELSE to_json({text}) END"
            )
        return f"CASE WHEN {column} IS NOT NULL THEN to_json({column}) END"
    if target in ("TIMESTAMP", "DATE") and source.startswith(_NUMBERS):
        seconds = f"if({column} > {_SECONDS}, {column} / 1000, {column})"
        return f"(to_timestamp({seconds}) AT TIME ZONE 'UTC')::{target}"
    if target == "TIMESTAMP" and source == "VARCHAR":
        return (
            f"coalesce(try_cast(try_cast({column} AS TIMESTAMPTZ) AT TIME ZONE 'UTC' AS TIMESTAMP),"
            f" try_cast({column} AS TIMESTAMP))"
        )
    if target == "DATE" and source == "VARCHAR":
        return (
            f"coalesce(try_cast({column} AS DATE), "
            f"try_cast(try_strptime(trim({column}), ['%Y%m%d', '%m/%d/%Y']) AS DATE))"
        )
    return f"try_cast({column} AS {target})"
