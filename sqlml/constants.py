"""SQL expressions that stand for values: those of options, and of times in statements."""

from __future__ import annotations

import re
from collections.abc import Mapping

import duckdb

from sqlml import queries
from sqlml.errors import OptionError, first_line
from sqlml.queries import literal

_OFFSET = r"'[^']*:\d\d(\.\d+)?\s*[A-Za-z+-][^']*'"
_MOMENT = re.compile(rf"\bTIMESTAMP\s*{_OFFSET}|{_OFFSET}\s*(::|AS)\s*TIMESTAMP\b", re.IGNORECASE)
"""Text with an offset that becomes a TIMESTAMP."""


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
    """The value of an option's SQL expression; intervals, and times in UTC, in DuckDB's own text form."""
    try:
        query = f"SELECT v, v::VARCHAR, typeof(v) FROM (SELECT ({_with_offsets(cursor, text)}\n) AS v)"
        value, shown, kind = cursor.execute(query).fetchall()[0]
    except duckdb.Error as error:
        raise OptionError(f"Option {key} = {text} is no constant that DuckDB can read: {first_line(error)}") from error
    return shown if kind in ("INTERVAL", "DATE") or kind.startswith("TIMESTAMP") else value


def _with_offsets(cursor: duckdb.DuckDBPyConnection, text: str) -> str:
    """An SQL expression whose literals of TIMESTAMP are in UTC: DuckDB would drop the offset that they have."""

    def in_utc(found: re.Match[str]) -> str:
        query = f"SELECT ({queries.text('binding/utc', text=found[0])})::VARCHAR || '+00'"
        return literal(cursor.execute(query).fetchall()[0][0])

    return _MOMENT.sub(lambda found: re.sub(_OFFSET, in_utc, found[0]), text)
