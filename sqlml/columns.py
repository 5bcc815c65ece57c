"""The columns of a query → the inputs of a model, by their types. None is used silently: each is told or left out.

Every expression is over `__sqlml_row`, which is the table of examples in training and the row given in scoring.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import duckdb

from sqlml import encoding, queries
from sqlml.encoding import LEAST_ROWS, Dropped, Input, is_category
from sqlml.errors import DataError, OptionError, did_you_mean
from sqlml.options import QueryOptions
from sqlml.queries import ROW, identifier, literal

MOST_COLUMNS, MOST_LEVELS, MOST_ELEMENTS, MOST_WORDS = 1000, 100, 50, 300
ID_SHARE, TEXT_SHARE, TEXT_WORDS = 0.9, 0.3, 2
"""Text is an id where nearly every row has its own; free text where values differ and have several words."""
ID_NAME = re.compile(r"(^|_)(id|key|no|nr|number|uuid|guid|row)$", re.IGNORECASE)
PARTS = ("month", "dayofweek", "hour")


@dataclass(frozen=True)
class Facts:
    """Of one text or integer column: rows that are not NULL, different values, mean words."""

    known: int
    distinct: int
    words: float


def choose(types: Mapping[str, str], options: QueryOptions) -> tuple[list[str], list[Dropped]]:
    """(columns to learn from, those left out by name).

    Raises:
        OptionError: A named column does not exist.
        DataError: There are too many.
    """
    for name in (*options.columns, *options.exclude, *filter(None, (options.key, options.split_column))):
        if name not in types:
            raise OptionError(f"The query has no column '{name}'." + did_you_mean(name, types, "columns"))
    roles = {options.label: "the label", options.key: "the key", options.split_column: "it decides the split"}
    left_out = [Dropped(name, role) for name, role in roles.items() if name is not None]
    left_out += [Dropped(name, "excluded") for name in options.exclude]
    if options.columns:
        left_out += [Dropped(name, "not among columns") for name in types if name not in (*options.columns, *roles)]
    unused = {d.column for d in left_out}
    chosen = [name for name in types if name not in unused]
    if len(chosen) > MOST_COLUMNS:
        raise DataError(
            f"The query has {len(chosen):,} columns to learn from; {MOST_COLUMNS:,} are the most. "
            "Name the promising ones: OPTIONS (columns = ['a', 'b'])."
        )
    return chosen, left_out


def inputs(
    cursor: duckdb.DuckDBPyConnection, table: str, types: Mapping[str, str], label: str
) -> tuple[list[Input], list[Dropped]]:
    """The inputs made of the columns in `types`, and the columns that nothing can be made of."""
    found: list[Input] = []
    left_out: list[Dropped] = []
    for name, kind in types.items():
        made = list(_inputs(cursor, table, name, kind, label))
        found += made
        if not made:
            left_out.append(Dropped(name, _reason(cursor, table, name, kind)))
    return found, left_out


def _inputs(cursor: duckdb.DuckDBPyConnection, table: str, name: str, kind: str, label: str) -> Iterator[Input]:
    column = f"{ROW}.{identifier(name)}"
    if kind.endswith("[]"):
        for element in _keys(cursor, "rows/elements", table, column):
            test = f"list_contains({column}, {literal(element)}::{kind.removesuffix('[]')})"
            yield Input(f"{name} has {element}", name, f"CASE WHEN {column} IS NOT NULL THEN {test}::FLOAT END")
    elif kind == "DATE" or kind.startswith("TIMESTAMP"):
        time = f"({column} AT TIME ZONE 'UTC')" if "TIME ZONE" in kind else f"TRY_CAST({column} AS TIMESTAMP)"
        newest = cursor.execute(f"SELECT max(epoch({time})) FROM {table} {ROW}").fetchall()[0][0] or 0
        yield Input(f"{name} (age)", name, f"(({newest!r} - epoch({time})) / 86400)::FLOAT")
        for part in PARTS:
            yield Input(f"{name} ({part})", name, f"date_part('{part}', {time})::FLOAT")
    elif encoding.is_number(kind) or kind == "BOOLEAN":
        if not _is_id(cursor, table, name, kind):
            flag = "::BOOLEAN" if kind == "BOOLEAN" else ""
            yield Input(name, name, f"TRY_CAST({column}{flag}::DOUBLE AS FLOAT)")
    elif is_category(kind) and not _is_id(cursor, table, name, kind):
        if _is_text(cursor, table, name):
            tokens = queries.text("rows/tokens", text=f"{column}::VARCHAR")
            for word in _keys(cursor, "rows/words", table, tokens, label):
                test = f"list_contains({tokens}, {literal(word)})"
                yield Input(f"{name}: {word}", name, f"CASE WHEN {column} IS NOT NULL THEN {test}::FLOAT END")
        else:
            yield Input(name, name, column, is_category=True)


def _reason(cursor: duckdb.DuckDBPyConnection, table: str, name: str, kind: str) -> str:
    if kind.endswith("[]") or (is_category(kind) and not _is_id(cursor, table, name, kind)):
        return f"nothing in it occurs {LEAST_ROWS} times"
    if encoding.is_number(kind) or is_category(kind):
        return "an id: nearly every row has its own"
    return f"nothing is made of type {kind}"


def _is_id(cursor: duckdb.DuckDBPyConnection, table: str, name: str, kind: str) -> bool:
    """Text that differs from row to row but is not prose; integers that do and are named like an id."""
    if kind == "UUID":
        return True
    if encoding.is_number(kind) and not (encoding.is_integer(kind) and ID_NAME.search(name)):
        return False
    facts = _facts(cursor, table, name)
    return facts.known >= LEAST_ROWS and facts.distinct >= ID_SHARE * facts.known and facts.words < TEXT_WORDS


def _is_text(cursor: duckdb.DuckDBPyConnection, table: str, name: str) -> bool:
    facts = _facts(cursor, table, name)
    return facts.words >= TEXT_WORDS and facts.distinct >= TEXT_SHARE * facts.known


def _facts(cursor: duckdb.DuckDBPyConnection, table: str, name: str) -> Facts:
    query = queries.text("rows/facts", table=table, column=identifier(name))
    return Facts(*cursor.execute(query).fetchall()[0])


def _keys(cursor: duckdb.DuckDBPyConnection, file: str, table: str, column: str, label: str = "") -> Sequence[str]:
    query = queries.text(file, table=f"{table} {ROW}", column=column, label=label)
    most = MOST_WORDS if label else MOST_ELEMENTS
    return [str(key) for (key,) in cursor.execute(query, {"least": LEAST_ROWS, "most": most}).fetchall()]
