"""SQL expressions that stand for values: those of options, and of times in statements."""

from __future__ import annotations

from collections.abc import Mapping

import duckdb

from sqlml.errors import OptionError, first_line


def of(cursor: duckdb.DuckDBPyConnection, options: Mapping[str, str]) -> dict[str, object]:
    """The values of options, each an SQL expression.

    Raises:
        OptionError: One is no constant.
    """
    return {key: _constant(cursor, key, text) for key, text in options.items()}


def moment(cursor: duckdb.DuckDBPyConnection, word: str, text: str) -> str:
    """A time or an interval as text.

    Raises:
        OptionError: It is neither.
    """
    value = _constant(cursor, word, text)
    if not isinstance(value, str):
        raise OptionError(f"{word} {text} is no time or interval: write DATE '2025-01-01', or 30 DAYS.")
    return value


def _constant(cursor: duckdb.DuckDBPyConnection, key: str, text: str) -> object:
    """The value of an option's SQL expression; intervals and times in DuckDB's own text form."""
    query = f"SELECT v, v::VARCHAR, typeof(v) FROM (SELECT ({text}\n) AS v)"
    try:
        value, shown, kind = cursor.execute(query).fetchall()[0]
    except duckdb.Error as error:
        raise OptionError(f"Option {key} = {text} is no constant that DuckDB can read: {first_line(error)}") from error
    return shown if kind in ("INTERVAL", "DATE") or kind.startswith("TIMESTAMP") else value
