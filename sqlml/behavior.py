"""The behaviour contract: what schema `behavior` holds, how `map` writes its views, what `check` finds wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from sqlml import queries
from sqlml.encoding import is_number
from sqlml.errors import DataError, OptionError, did_you_mean
from sqlml.queries import Behavior, identifier, literal

EVENTS, CUSTOMERS, ITEMS = "events", "customers", "items"
RESERVED = "as_of"
OURS = re.compile(r"\s*CREATE (SCHEMA IF NOT EXISTS|(OR REPLACE )?VIEW) behavior\b")
"""The statements that make up a mapping."""
TIMES = ("TIMESTAMP", "DATE", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS")


@dataclass(frozen=True)
class Facts:
    """Size and time range (UTC) of the events that count."""

    n_events: int
    n_customers: int
    first_event: datetime
    newest_event: datetime
    now: datetime


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
    found = {name: _columns(cursor, name) for name in (EVENTS, CUSTOMERS, ITEMS)}
    if not found[EVENTS]:
        raise DataError(
            "There is no table or view behavior.events. Write one with columns customer_id and event_time, "
            "or let `sqlml map --events TABLE_OR_FILE` write it."
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


def _columns(cursor: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    query = """SELECT count(*) FROM duckdb_columns() WHERE schema_name = 'behavior' AND table_name = ?
               AND database_name = current_database()"""
    if not cursor.execute(query, [relation]).fetchall()[0][0]:
        return {}
    described = cursor.execute(f"DESCRIBE behavior.{relation}").fetchall()
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
    if (kind := behavior.events.get("event_time", "DATE")) not in TIMES:
        hint = "event_time AT TIME ZONE 'UTC'" if "TIME ZONE" in kind else "event_time::TIMESTAMP"
        hint = "make_timestamp(event_time * 1000000), if it counts seconds" if is_number(kind) else hint
        yield f"behavior.events.event_time is {kind}; it must be TIMESTAMP or DATE. In the view write {hint}."
    for relation, column in ((EVENTS, "known_at"), (CUSTOMERS, "valid_from")):
        if (kind := getattr(behavior, relation).get(column, "DATE")) not in TIMES:
            yield f"behavior.{relation}.{column} is {kind}; it must be TIMESTAMP or DATE, in UTC."


def _is_usable(kind: str) -> bool:
    """Numbers, flags, categories and dates can be encoded; nested and binary types cannot."""
    plain = ("BOOLEAN", "VARCHAR", "UUID", *TIMES, "TIMESTAMP WITH TIME ZONE")
    return not kind.endswith("]") and (is_number(kind) or kind in plain or kind.startswith("ENUM("))


def _comparable(one: str, other: str) -> bool:
    return one == other or (is_number(one) and is_number(other))


GUESSES: Mapping[str, tuple[str, ...]] = {
    "customer": ("customer_id", "customerid", "customer", "user_id", "userid", "user", "client_id", "visitor_id",
                 "account_id", "member_id", "cust_id"),
    "time": ("event_time", "timestamp", "event_timestamp", "ts", "time", "datetime", "date", "event_date",
             "order_date", "invoice_date", "invoicedate", "purchase_date", "created_at", "occurred_at"),
    "type": ("event_type", "type", "event", "event_name", "action"),
    "item": ("item_id", "itemid", "item", "product_id", "productid", "sku", "stock_code", "stockcode"),
    "amount": ("amount", "revenue", "total", "total_price", "value", "price", "sales"),
    "quantity": ("quantity", "qty", "n_items"),
    "known_at": ("known_at", "ingested_at", "loaded_at"),
}  # fmt: skip
COLUMNS = {"customer": "customer_id", "time": "event_time", "type": "event_type", "item": "item_id",
           "amount": "amount", "quantity": "quantity", "known_at": "known_at"}  # fmt: skip


@dataclass(frozen=True)
class EventSource:
    """One source of events for `map`: a table, view or file, and which of its columns mean what.

    Every field but `relation` may be None: then an obvious column name is looked for. `''` means: none.
    """

    relation: str
    customer: str | None = None
    time: str | None = None
    type: str | None = None
    type_value: str | None = None
    item: str | None = None
    amount: str | None = None
    quantity: str | None = None
    known_at: str | None = None
    where: str | None = None


def write(cursor: duckdb.DuckDBPyConnection, script: str) -> None:
    """Run the CREATE VIEW statements of a mapping and read the views once; on an error the old ones stay.

    Raises:
        DataError: A view cannot be read, or breaks the contract.
    """
    cursor.execute("BEGIN").fetchall()
    try:
        _run(cursor, script)
        for relation in (name for name in (EVENTS, CUSTOMERS, ITEMS) if _columns(cursor, name)):
            cursor.execute(f"SELECT count(COLUMNS(*)) FROM behavior.{relation}").fetchall()
        if _columns(cursor, EVENTS):
            read(cursor)
    except BaseException as error:
        cursor.execute("ROLLBACK").fetchall()
        if isinstance(error, duckdb.Error):
            raise DataError(f"The views cannot be written and read, so nothing was changed: {error}") from error
        raise
    cursor.execute("COMMIT").fetchall()


def _run(cursor: duckdb.DuckDBPyConnection, script: str) -> None:
    for statement in cursor.extract_statements(script):
        if not OURS.match(statement.query):
            raise DataError(f"One expression is expected, not another statement: {statement.query.strip()}")
        cursor.execute(statement).fetchall()


def ids_view(cursor: duckdb.DuckDBPyConnection) -> str:
    """The CREATE VIEW statement of behavior.customers over the ids of the events; empty where there are customers."""
    if _columns(cursor, CUSTOMERS):
        return ""
    select = "SELECT DISTINCT customer_id\nFROM behavior.events\nWHERE customer_id IS NOT NULL"
    return f"CREATE VIEW behavior.customers AS\n{select};"


def events_view(cursor: duckdb.DuckDBPyConnection, sources: Sequence[EventSource]) -> str:
    """The CREATE VIEW statement of behavior.events over one or several sources.

    Raises:
        DataError: A source or a column does not exist, or no column looks like the customer or the time.
    """
    selects = [_events_select(cursor, source) for source in sources]
    body = "\nUNION ALL BY NAME\n".join(selects)
    return f"CREATE OR REPLACE VIEW behavior.events AS\n{body};"


def entity_view(cursor: duckdb.DuckDBPyConnection, name: str, key: str, relation: str, column: str | None) -> str:
    """The CREATE VIEW statement of behavior.customers or behavior.items: all columns, the key renamed."""
    source, types = _source(cursor, relation)
    role = "customer" if key == "customer_id" else "item"
    column = column or _guess(types, role)
    if column is None:
        raise DataError(f"No column of {relation} looks like the {role}: name it with --{role}-key. "
                        f"Columns: {', '.join(types)}.")  # fmt: skip
    _require(column, types, relation)
    keyed = f"{identifier(column)} AS {key}, * EXCLUDE ({', '.join(_named(types, column, key))})"
    select = f"SELECT {keyed}\nFROM {source}\nWHERE {identifier(column)} IS NOT NULL"
    return f"CREATE OR REPLACE VIEW behavior.{name} AS\n{select};"


def _events_select(cursor: duckdb.DuckDBPyConnection, source: EventSource) -> str:
    relation, types = _source(cursor, source.relation)
    chosen = {role: _chosen(source, role, types) for role in COLUMNS}
    if source.type_value is not None:
        chosen["type"] = None
    for role in ("customer", "time"):
        if chosen[role] is None:
            raise DataError(f"No column of {source.relation} looks like the {role}: name it with --{role}. "
                            f"Columns: {', '.join(types)}.")  # fmt: skip
    columns = [f"{_expression(role, name, types)} AS {COLUMNS[role]}" for role, name in chosen.items() if name]
    if source.type_value is not None:
        columns.append(f"{literal(source.type_value)} AS event_type")
    condition = f"\nWHERE {source.where}" if source.where else ""
    listed = ",\n       ".join(columns)
    return f"SELECT {listed}\nFROM {relation}{condition}"


def _chosen(source: EventSource, role: str, types: Mapping[str, str]) -> str | None:
    given: str | None = getattr(source, role)
    if given is None:
        return _guess(types, role)
    if given and role != "amount":
        _require(given, types, source.relation)
    return given or None


def _expression(role: str, name: str, types: Mapping[str, str]) -> str:
    """Times with a zone become UTC; a time kept as text is parsed; types become text."""
    column, kind = _column(name, types), types.get(name, "")
    if role in ("time", "known_at"):
        return f"({column} AT TIME ZONE 'UTC')" if "TIME ZONE" in kind else f"{column}::TIMESTAMP"
    if role == "type":
        return f"{column}::VARCHAR"
    return column if name in types else f"({column})"


def _column(name: str, types: Mapping[str, str]) -> str:
    return identifier(name) if name in types else name


def _guess(types: Mapping[str, str], role: str) -> str | None:
    lower = {name.lower(): name for name in types}
    return next((lower[guess] for guess in GUESSES[role] if guess in lower), None)


def _named(types: Mapping[str, str], *names: str) -> list[str]:
    """The columns with one of these names, in whatever case they are written."""
    lower = {name.lower() for name in names}
    return [identifier(name) for name in types if name.lower() in lower]


def _require(column: str, types: Mapping[str, str], relation: str) -> None:
    if column not in types:
        raise DataError(f"{relation} has no column '{column}'." + did_you_mean(column, types, "columns"))


def _source(cursor: duckdb.DuckDBPyConnection, relation: str) -> tuple[str, dict[str, str]]:
    """A relation as SQL, fully qualified (a view looks in its own schema first), and its columns."""
    path = Path(relation)
    if path.suffix.lower() in (".parquet", ".csv", ".tsv", ".json"):
        if "*" not in relation and not path.exists():
            raise DataError(f"There is no file {relation}.")
        reader = {"parquet": "read_parquet", "json": "read_json"}.get(path.suffix.lower()[1:], "read_csv")
        sql = f"{reader}({literal(str(path.resolve()))})"
    else:
        sql = relation if "." in relation or relation.startswith('"') else f"main.{identifier(relation)}"
        if sql.replace('"', "").lower().startswith("behavior."):
            raise DataError(f"{relation} is what map writes: name the table or file that it should read.")
    try:
        described = cursor.execute(f"DESCRIBE SELECT * FROM {sql}").fetchall()
    except duckdb.Error as error:
        raise DataError(f"Cannot read {relation}: {error}") from error
    return sql, {name: str(kind) for name, kind, *_ in described}


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
