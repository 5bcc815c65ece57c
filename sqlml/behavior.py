"""The behaviour contract: what schema `behavior` must hold, and what `check` finds wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb

from sqlml import queries
from sqlml.encoding import is_number
from sqlml.errors import DataError, OptionError, did_you_mean, first_line
from sqlml.queries import Behavior
from sqlml.values import TIMES, ZONED

EVENTS, CUSTOMERS, ITEMS = "events", "customers", "items"
RESERVED = "as_of"


@dataclass(frozen=True)
class Facts:
    """Size and time range (UTC) of the events that count.

    Attributes:
        n_events: How many events.
        n_customers: Of how many customers.
        first_event: Where training begins; all but one in a thousand are not older.
        newest_event: The newest one.
        now: When this was asked.
        oldest_event: The oldest one, which may be a default date of long ago.
    """

    n_events: int
    n_customers: int
    first_event: datetime
    newest_event: datetime
    now: datetime
    oldest_event: datetime


@dataclass(frozen=True)
class Finding:
    """One thing that `check` found: `severity` is error, warning or note; `sql` shows the rows."""

    severity: str
    text: str
    count: int
    sql: str


def read(cursor: duckdb.DuckDBPyConnection) -> Behavior:
    """The columns of schema `behavior`.

    Raises:
        DataError: `behavior.events` is missing, or a required column is missing or of the wrong type.
    """
    found = {name: columns(cursor, name) for name in (EVENTS, CUSTOMERS, ITEMS)}
    if not found[EVENTS]:
        raise DataError(
            "There is no table or view behavior.events. Write one with columns customer_id and event_time, "
            "or let `sqlml map --events TABLE_OR_FILE` write it; in Python, con.register_behavior(events=frame)."
        )
    behavior = Behavior(**found)
    problems = [problem for problem in _breaches(behavior) if problem]
    if problems:
        raise DataError("\n".join(problems))
    return behavior


def facts(cursor: duckdb.DuckDBPyConnection) -> Facts:
    """Size and time range of the events.

    Raises:
        DataError: No event counts.
    """
    (row,) = cursor.execute(queries.text("behavior/facts")).fetchall()
    if not row[0]:
        raise DataError("behavior.events holds no event with a customer_id and an event_time up to now.")
    return Facts(*row)


def silence(cursor: duckdb.DuckDBPyConnection) -> int:
    """The most days between two days with events, as far as that is ordinary for this log; at least 1."""
    return int(cursor.execute(queries.text("behavior/silence")).fetchall()[0][0])


def checksums(cursor: duckdb.DuckDBPyConnection, behavior: Behavior) -> dict[str, str]:
    """A checksum of all that stands in each behaviour table, in whatever order: equal ones hold the same data."""
    tables = {name: f"behavior.{name}" for name in ("events", "customers", "items") if getattr(behavior, name)}
    return {f"{name}_checksum": queries.checksum(cursor, table) for name, table in tables.items()}


def check(cursor: duckdb.DuckDBPyConnection, behavior: Behavior, severities: Sequence[str]) -> Iterator[Finding]:
    """Run the files of `sql/checks` whose needs are met; their name begins with the severity."""
    for file in queries.folder("checks"):
        severity = file.name.partition("_")[0]
        if severity not in severities or not all(map(behavior.has, file.needs)):
            continue
        if file.name == "error_customers_twice" and behavior.has("customers.valid_from"):
            continue
        count = cursor.execute(f"SELECT count(*) FROM ({file.text})").fetchall()[0][0]
        if count:
            yield Finding(severity, file.purpose, count, file.text)


def require_sound(cursor: duckdb.DuckDBPyConnection, behavior: Behavior) -> None:
    """Stop where `check` finds an error.

    Raises:
        DataError: It names each breach, its count and the SQL that shows the rows.
    """
    errors = [f"{f.count:,} {f.text}. Rows: {f.sql}" for f in check(cursor, behavior, ("error",))]
    if errors:
        raise DataError("The behaviour tables break the contract.\n" + "\n".join(errors))


def choose_attributes(behavior: Behavior, named: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(used, left out) columns of behavior.customers.

    Raises:
        DataError: A named column does not exist or cannot be used.
    """
    keys = ("customer_id", "valid_from")
    usable = [c for c, kind in behavior.customers.items() if c not in keys and _is_usable(kind)]
    if tuple(named) == ("all",) or (not named and "valid_from" in behavior.customers):
        return tuple(usable), ()
    for name in named:
        if name not in usable:
            raise DataError(f"behavior.customers has no usable attribute '{name}'." + did_you_mean(
                name, usable, "attributes"))  # fmt: skip
    return tuple(named), tuple(c for c in usable if c not in named)


def columns(cursor: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    """The columns of a relation of schema `behavior` and their types; none where it does not exist.

    Raises:
        DataError: It is a view over what cannot be read here.
    """
    query = """SELECT count(*) FROM duckdb_columns() WHERE schema_name = 'behavior' AND table_name = ?
               AND database_name = current_database()"""
    if not cursor.execute(query, [relation]).fetchall()[0][0]:
        return {}
    try:
        described = cursor.execute(f"DESCRIBE behavior.{relation}").fetchall()
    except duckdb.Error as error:
        raise DataError(
            f"The view behavior.{relation} cannot be read: {first_line(error)}.\nA view over a data frame or another "
            f"Python variable is seen by one connection alone. Write CREATE TABLE behavior.{relation} AS SELECT ..., "
            f"or con.register_behavior({relation}=frame), which writes the table."
        ) from error
    return {name.lower(): str(kind) for name, kind, *_ in described}


def _breaches(behavior: Behavior) -> Iterator[str]:
    for column in ("customer_id", "event_time"):
        if column not in behavior.events:
            existing = ", ".join(behavior.events)
            yield f"behavior.events has no column {column}; it has {existing}. Rename one in the view."
    yield from _time_breaches(behavior)
    for column in ("amount", "quantity"):
        if not is_number(kind := behavior.events.get(column, "DOUBLE")):
            yield f"behavior.events.{column} is {kind}; it must be a number. In the view write {column}::DOUBLE."
    if RESERVED in behavior.events:
        yield "behavior.events has a column as_of, a name that is reserved. Rename it in the view."
    for relation, key in ((CUSTOMERS, "customer_id"), (ITEMS, "item_id")):
        columns: Mapping[str, str] = getattr(behavior, relation)
        if columns and key not in columns:
            yield f"behavior.{relation} has no column {key}; it has {', '.join(columns)}. Rename one in the view."
        mine, other = behavior.events.get(key), columns.get(key)
        if mine and other and not _comparable(mine, other):
            yield f"{key} is {mine} in behavior.events and {other} in behavior.{relation}: cast one in its view."


def _time_breaches(behavior: Behavior) -> Iterator[str]:
    for relation, column in ((EVENTS, "event_time"), (EVENTS, "known_at"), (CUSTOMERS, "valid_from")):
        if (kind := getattr(behavior, relation).get(column, "DATE")) not in TIMES:
            yield (f"behavior.{relation}.{column} is {kind}; it must be TIMESTAMP or DATE, in UTC. "
                   f"{_hint(column, kind)}")  # fmt: skip


def _hint(column: str, kind: str) -> str:
    """What to write instead of a time that has another type; a cast to TIMESTAMP would drop offsets."""
    if kind == ZONED:
        return f"In the view write {column} AT TIME ZONE 'UTC'."
    read = "`sqlml map` and con.register_behavior() find out how it is to be read; by hand"
    if is_number(kind):
        return f"{read} write make_timestamp({column} * 1000000) in the view, if it counts seconds."
    return (
        f"{read} write {column}::TIMESTAMP in the view where no value has an offset, "
        f"({column}::TIMESTAMPTZ AT TIME ZONE 'UTC') where each has one."
    )


def _is_usable(kind: str) -> bool:
    """Numbers, flags, categories and dates can be encoded; nested and binary types cannot."""
    plain = ("BOOLEAN", "VARCHAR", "UUID", *TIMES, ZONED)
    return not kind.endswith("]") and (is_number(kind) or kind in plain or kind.startswith("ENUM("))


def _comparable(one: str, other: str) -> bool:
    return one == other or (is_number(one) and is_number(other))


def ids_view(cursor: duckdb.DuckDBPyConnection) -> str:
    """The CREATE VIEW statement of behavior.customers over the ids of the events; empty where there are customers."""
    if columns(cursor, CUSTOMERS):
        return ""
    select = "SELECT DISTINCT customer_id\nFROM behavior.events\nWHERE customer_id IS NOT NULL"
    return f"CREATE VIEW behavior.customers AS\n{select};"


def require_event_type(cursor: duckdb.DuckDBPyConnection, relations: Behavior, event_type: str, option: str) -> None:
    """Check that events of a type exist.

    Raises:
        DataError: Events have no types.
        OptionError: None has this one.
    """
    if not relations.has("event_type"):
        raise DataError(f"Option {option.split(maxsplit=1)[0]} needs a column event_type in behavior.events.")
    query = "SELECT DISTINCT event_type::VARCHAR FROM behavior.events WHERE event_type IS NOT NULL ORDER BY 1"
    types = [name for (name,) in cursor.execute(query).fetchall()]
    if event_type not in types:
        known = did_you_mean(event_type, types[:100], "types")
        raise OptionError(f"Option {option} '{event_type}': no event has this type.{known}")
