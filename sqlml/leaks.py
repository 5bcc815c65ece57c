"""The leak audit: how well each column alone tells the label. One that nearly decides it was written after the fact."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import duckdb

from sqlml import queries

LEAST_OF_EACH = 20
"""Rows of each class that it takes to suspect a column."""
MOST_INPUTS = 8
"""A column of more inputs, such as text with an input a word, is not looked at."""


@dataclass(frozen=True)
class Column:
    """What is looked at: a name, SQL over the table of examples, whether it is a number."""

    name: str
    expression: str
    is_number: bool


@dataclass(frozen=True)
class Finding:
    """How well a column alone tells the label: an AUC, R² or accuracy on rows whose labels it has not seen."""

    column: str
    measure: str
    value: float
    is_suspect: bool

    @property
    def text(self) -> str:
        """For example: 'closed_at' alone tells the label (AUC 0.998)."""
        return f"'{self.column}' alone tells the label ({self.measure} {self.value:.3f})"


def audit(cursor: duckdb.DuckDBPyConnection, table: str, columns: Iterable[Column], kind: str) -> list[Finding]:
    """Look at every column of `table`, a query with `label` and `half` (0 or 1); the most telling first.

    Args:
        cursor: Where it runs.
        table: The examples.
        columns: What to look at; of several with one name the most telling counts.
        kind: `binary`, `classes` or any kind of number.
    """
    found: dict[str, Finding] = {}
    for column in columns:
        for one in _looked_at(cursor, table, column, kind):
            best = found.get(column.name)
            if best is None or (one.is_suspect, one.value) > (best.is_suspect, best.value):
                found[column.name] = one
    return sorted(found.values(), key=lambda one: (not one.is_suspect, -one.value))


def _looked_at(cursor: duckdb.DuckDBPyConnection, table: str, column: Column, kind: str) -> Iterable[Finding]:
    if kind in ("binary", "classes"):
        yield _measured(cursor, table, column, kind)
        return
    yield _measured(cursor, table, column, "number")
    above = f"(SELECT * REPLACE (label::DOUBLE > (SELECT avg(label::DOUBLE) FROM {table}) AS label) FROM {table})"
    high = _measured(cursor, above, column, "binary")
    if high.is_suspect:
        yield high


def _measured(cursor: duckdb.DuckDBPyConnection, table: str, column: Column, file: str) -> Finding:
    pieces = {"table": table, "value": column.expression, "is_number": str(column.is_number)}
    query = queries.text(
        f"leaks/{file}",
        buckets=queries.text("leaks/buckets", **pieces),
        number="CASE WHEN isfinite(value::DOUBLE) THEN value::DOUBLE END" if column.is_number else "NULL::DOUBLE",
        binary=queries.text("metrics/binary"),
    )
    measure, value, is_suspect = cursor.execute(query, {"least": LEAST_OF_EACH}).fetchall()[0]
    return Finding(column.name, measure, float(value or 0), bool(is_suspect))


def record(found: Sequence[Finding]) -> list[dict[str, object]]:
    """As it is stored with the version."""
    return [{**vars(one), "value": round(one.value, 4)} for one in found]
