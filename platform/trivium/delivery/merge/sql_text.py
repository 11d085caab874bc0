"""Names and values as parts of an SQL statement, for the dialects that the merge policy is printed in.

Whatever is not a fixed word of ours goes through these functions, in statements that run and in statements that are
printed: a column's name of a foreign table is data, never SQL.
"""

from __future__ import annotations

from typing import Final, Literal

from trivium.delivery.errors import SchemaConflict

Dialect = Literal["duckdb", "polars", "spark"]

_QUOTE: Final[dict[Dialect, str]] = {"duckdb": '"', "polars": '"', "spark": "`"}


def identifier(name: str, dialect: Dialect) -> str:
    """Return a name of a table or column, quoted: the quote itself is doubled, every other character stands for itself.

    Raises:
        SchemaConflict: the name is empty or holds a NUL character, which no dialect can quote.
    """
    if not name or "\0" in name:
        raise SchemaConflict(
            f"expected column names that SQL can quote, got {name!r} (empty, or with a NUL character). "
            "Try: rename the column with the engine that wrote it"
        )
    quote = _QUOTE[dialect]
    return f"{quote}{name.replace(quote, quote * 2)}{quote}"


def literal(text: str, dialect: Dialect) -> str:
    """Return a text as a string literal.

    Spark reads a backslash in a literal as an escape; DuckDB and Polars read it as itself.
    """
    escaped = text.replace("\\", "\\\\").replace("'", "\\'") if dialect == "spark" else text.replace("'", "''")
    return f"'{escaped}'"


def free_name(wanted: str, taken: tuple[str, ...]) -> str:
    """Return a name for a column of ours that none of the table's has, whatever its case."""
    known = {name.casefold() for name in taken}
    while wanted.casefold() in known:
        wanted = f"_{wanted}"
    return wanted
