"""Data frames → tables of schema behavior, all of them or none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import duckdb
import pyarrow as pa

from sqlml import behavior, values
from sqlml.behavior import CUSTOMERS, EVENTS, ITEMS
from sqlml.errors import DataError, first_line
from sqlml.queries import identifier
from sqlml.values import Column

WRITTEN = "Written by register_behavior"
"""The comment by which tables are known that may be replaced."""
MOMENTS = {EVENTS: ("event_time", "known_at"), CUSTOMERS: ("valid_from",)}
"""The columns that are read as times, in UTC."""
NUMBERS = ("amount", "quantity")
REQUIRED = {EVENTS: ("customer_id", "event_time"), CUSTOMERS: ("customer_id",), ITEMS: ("item_id",)}
FRAME = "__sqlml_frame"


def write(cursor: duckdb.DuckDBPyConnection, frames: Mapping[str, object]) -> None:
    """Write each frame into behavior.<name>; times with an offset become UTC.

    Raises:
        DataError: A frame is none, breaks the contract, or would replace a table of the user's.
    """
    if not frames:
        raise DataError("Give at least one of events, customers, items.")
    cursor.execute("BEGIN").fetchall()
    try:
        cursor.execute("CREATE SCHEMA IF NOT EXISTS behavior").fetchall()
        for name, frame in frames.items():
            _write(cursor, name, frame)
        if ids := behavior.ids_view(cursor):
            cursor.execute(ids).fetchall()
            cursor.execute(f"COMMENT ON VIEW behavior.customers IS '{WRITTEN}'").fetchall()
        behavior.require_sound(cursor, behavior.read(cursor))
    except BaseException:
        cursor.execute("ROLLBACK").fetchall()
        raise
    cursor.execute("COMMIT").fetchall()


def _write(cursor: duckdb.DuckDBPyConnection, name: str, frame: object) -> None:
    _make_room(cursor, name)
    exact = _register(cursor, name, frame)
    try:
        types = {column: str(kind) for column, kind, *_ in cursor.execute(f"DESCRIBE {FRAME}").fetchall()}
        if missing := [each for each in REQUIRED[name] if each not in map(str.lower, types)]:
            raise DataError(f"{name} has no column {missing[0]}; it has {', '.join(types)}. Rename one of them.")
        read = [_read(cursor, name, column, exact.get(column, kind)) for column, kind in types.items()]
        cursor.execute(f"CREATE TABLE behavior.{name} AS SELECT {', '.join(read)} FROM {FRAME}").fetchall()
        cursor.execute(f"COMMENT ON TABLE behavior.{name} IS '{WRITTEN}'").fetchall()
    finally:
        cursor.unregister(FRAME)


def _read(cursor: duckdb.DuckDBPyConnection, name: str, column: str, kind: str) -> str:
    """The column as it is written: a moment in UTC, an amount as a number, all else as it is."""
    value = Column(f"{name}: {column}", f"{identifier(column)}::{kind}", kind, FRAME, "")
    sql = value.sql
    if column.lower() in MOMENTS.get(name, ()):
        sql = values.time(cursor, value).sql
    elif name == EVENTS and column.lower() in NUMBERS:
        sql = values.number(cursor, value).sql
    return f"{sql} AS {identifier(column)}"


def _register(cursor: duckdb.DuckDBPyConnection, name: str, frame: object) -> dict[str, str]:
    """Let the cursor see a frame; a relation belongs to the connection it comes from, and is fetched.

    Returns:
        The types of the columns of a relation, some of which Arrow does not hold.
    """
    exact = {}
    if isinstance(frame, duckdb.DuckDBPyRelation):
        exact = dict(zip(frame.columns, map(str, frame.types), strict=True))
        frame = frame.to_arrow_table()
    try:
        cursor.register(FRAME, cast("pa.Table", frame))
    except duckdb.Error as error:
        raise DataError(
            f"{name} is a {type(frame).__name__}: {first_line(error)}.\nUnderstood: a DataFrame of pandas or polars, a "
            "table of pyarrow, a relation of DuckDB.\nFor a table or a query write "
            f"con.register_behavior({name}=con.sql('FROM my_table'))."
        ) from error
    return exact


def _make_room(cursor: duckdb.DuckDBPyConnection, name: str) -> None:
    """Remove what stands there: a table that was written from a frame, or the view of the customers in it.

    Raises:
        DataError: It is a table or view of the user's.
    """
    query = """SELECT 'TABLE', comment FROM duckdb_tables() WHERE schema_name = 'behavior' AND table_name = $1
               AND database_name = current_database()
               UNION ALL SELECT 'VIEW', comment FROM duckdb_views() WHERE schema_name = 'behavior' AND view_name = $1
               AND database_name = current_database()"""
    for kind, comment in cursor.execute(query, [name]).fetchall():
        if comment != WRITTEN:
            raise DataError(
                f"behavior.{name} is a {kind.lower()} that register_behavior did not write. To replace it, first "
                f"DROP {kind} behavior.{name}."
            )
        cursor.execute(f"DROP {kind} behavior.{name}").fetchall()
