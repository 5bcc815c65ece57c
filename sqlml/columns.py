"""The columns of a query → the inputs of a model, by their types. None is used silently: each is told or left out.

Every expression is over `__sqlml_row`, which is the table of examples in training and the row given in scoring.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import duckdb

from sqlml import encoding, queries, reading
from sqlml.encoding import LEAST_ROWS, Dropped, Input, is_category
from sqlml.errors import DataError, OptionError, did_you_mean
from sqlml.options import QueryOptions
from sqlml.queries import ROW, identifier, literal
from sqlml.reading import Reading

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


@dataclass(frozen=True)
class Made:
    """What became of the columns: inputs, the columns nothing can be made of, how text was read, what to tell."""

    inputs: Sequence[Input]
    left_out: Sequence[Dropped]
    readings: Mapping[str, Reading]
    warnings: Sequence[str]


def inputs(cursor: duckdb.DuckDBPyConnection, table: str, types: Mapping[str, str], label: str) -> Made:
    """The inputs made of the columns in `types`; text that reads as numbers or times is used as these.

    Args:
        cursor: Where the rows are.
        table: Rows to learn from.
        types: Column → DuckDB type.
        label: SQL for the number that telling words are chosen by.
    """
    found: list[Input] = []
    left_out: list[Dropped] = []
    text = {name: f"{ROW}.{identifier(name)}" for name, kind in types.items() if reading.is_text(kind)}
    readings = reading.of_columns(cursor, f"{table} {ROW}", text)
    for name, kind in types.items():
        made = list(_inputs(cursor, table, name, kind, label, readings.get(name)))
        found += made
        if not made:
            left_out.append(Dropped(name, _reason(cursor, table, name, kind)))
    levels = [each.source for each in found if each.is_category and each.source in text]
    warnings = [warning for each in readings.values() for warning in each.warnings]
    warnings += [w for name in levels for w in reading.alike(cursor, f"{table} {ROW}", name, text[name])]
    return Made(found, left_out, readings, warnings)


def _inputs(
    cursor: duckdb.DuckDBPyConnection, table: str, name: str, kind: str, label: str, read: Reading | None
) -> Iterator[Input]:
    column, is_read = f"{ROW}.{identifier(name)}", read is not None
    if read is not None:
        kind, column = read.kind, read.of(reading.text_of(column))
    if kind.endswith("[]"):
        elements = _keys(cursor, "rows/elements", table, column)
        yield from _flags(name, f"{name} has ", column, kind.removesuffix("[]"), elements, f"len({column})")
    elif is_time(kind):
        time = time_of(column, kind)
        newest = cursor.execute(f"SELECT max(epoch({time})) FROM {table} {ROW}").fetchall()[0][0] or 0
        yield Input(f"{name} (age)", name, f"(({newest!r} - epoch({time})) / 86400)::FLOAT", is_read=is_read)
        for part in PARTS:
            yield Input(f"{name} ({part})", name, f"date_part('{part}', {time})::FLOAT", is_read=is_read)
    elif kind == "TIME":
        yield Input(name, name, f"(epoch({column}::TIME) / 3600)::FLOAT")
    elif encoding.is_number(kind) or kind == "BOOLEAN":
        if not _is_id(cursor, table, name, kind):
            flag = "::BOOLEAN" if kind == "BOOLEAN" else ""
            yield Input(name, name, f"TRY_CAST({column}{flag}::DOUBLE AS FLOAT)", is_read=is_read)
    elif is_category(kind) and not _is_id(cursor, table, name, kind):
        if _is_text(cursor, table, name):
            text = reading.text_of(column)
            tokens = queries.text("rows/tokens", text=text)
            words = _keys(cursor, "rows/words", table, tokens, label)
            yield from _flags(name, f"{name}: ", tokens, "VARCHAR", words, f"length({text})")
        else:
            yield Input(name, name, column, is_category=True)


def is_time(kind: str) -> bool:
    """Whether values of a DuckDB type are moments or days."""
    return kind == "DATE" or kind.startswith("TIMESTAMP")


def time_of(column: str, kind: str) -> str:
    """SQL for the moment in a column of such a type, in UTC."""
    return f"({column} AT TIME ZONE 'UTC')" if "TIME ZONE" in kind else f"TRY_CAST({column} AS TIMESTAMP)"


def _flags(
    name: str, title: str, values: str, kind: str, found: Sequence[tuple[str, float]], length: str
) -> Iterator[Input]:
    """A flag for each element found in the lists `values`, and the `length`, which is missing where the list is.

    Of the length the power of two alone counts: where all rows are about as long, one that is a little longer or
    shorter must not be judged by that.
    The tests hold no CASE: DuckDB then computes the list once for all of them.
    """
    if found:
        yield Input(f"{title}(length)", name, f"floor(log2(1 + {length}))::FLOAT")
    for text, share in found:
        element = f"{literal(text)}::{kind}"
        test = f"list_contains({values}, {element})::FLOAT"
        yield Input(f"{title}{text}", name, test, share=share, values=values, element=element)


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


def _keys(
    cursor: duckdb.DuckDBPyConnection, file: str, table: str, column: str, label: str = ""
) -> Sequence[tuple[str, float]]:
    """What the lists of a column hold often enough, the most telling first: (element, share of the lists that do)."""
    query = queries.text(file, table=f"{table} {ROW}", column=column, label=label)
    most = MOST_WORDS if label else MOST_ELEMENTS
    found = cursor.execute(query, {"least": LEAST_ROWS, "most": most}).fetchall()
    return [(str(element), float(share)) for element, share in found]
