"""The contract at the edge, stated with Pandera: which columns must come, with which types.

It speaks of the raw Parquet files, not of the rows in them; rows are what the rules judge.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from outreach_platform.foundation.warehouse import file_reader
from outreach_platform.records.columns import Entity

if TYPE_CHECKING:
    from pandera.ibis import DataFrameSchema

# Known columns whose type matters to a reader of our files. Where it differs, nothing is stopped:
# rules read everything as text.
_NEEDED_TYPE = "string"


def contract(entity: Entity) -> "DataFrameSchema":
    """The schema of an entity's raw file: needed columns as text, anything else as it comes."""
    import ibis.expr.datatypes as dt
    import pandera.ibis as pa

    return pa.DataFrameSchema(
        {
            name: pa.Column(dt.dtype(_NEEDED_TYPE), nullable=True, required=True)
            for name in entity.needed
        },
        strict=False,
        name=entity.table,
    )


def contract_problems(entity: Entity, path: Path) -> list[str]:
    """What a raw file breaks, one sentence each; empty when it keeps the contract.

    Args:
        entity: whose file it is.
        path: the Parquet file.
    """
    import ibis
    from pandera.errors import SchemaErrors

    with file_reader() as reader:
        table = ibis.duckdb.from_connection(reader).read_parquet(str(path))
        try:
            contract(entity).validate(table, lazy=True)
        except SchemaErrors as errors:
            return [_sentence(entity, error) for error in errors.schema_errors]
    return []


def _sentence(entity: Entity, error: Exception) -> str:
    check = getattr(error, "check", None)
    column = getattr(getattr(error, "schema", None), "name", None)
    if check == "column_in_dataframe":
        return f"{entity.table} lacks the column {getattr(error, 'failure_cases', column)}"
    return f"{entity.table}.{column} is no text: {str(error).splitlines()[0]}"
