"""`sqlml map`: which columns of a source mean what, and the views of schema behavior over it."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from sqlml import behavior, values
from sqlml.behavior import CUSTOMERS, EVENTS, ITEMS
from sqlml.errors import DataError, did_you_mean, first_line
from sqlml.queries import identifier, literal
from sqlml.values import TIMES, ZONED, Column, Reading

COLUMNS = {"customer": "customer_id", "time": "event_time", "type": "event_type", "item": "item_id",
           "amount": "amount", "quantity": "quantity", "known_at": "known_at"}  # fmt: skip
GUESSES: Mapping[str, tuple[str, ...]] = {
    "customer": ("customerid", "userpseudoid", "customer", "userid", "user", "clientid", "client", "visitorid",
                 "accountid", "memberid", "custid", "customerno", "customernumber", "customeremail", "email",
                 "user.id", "customer.id"),
    "time": ("eventtime", "timestamp", "eventtimestamp", "ts", "time", "datetime", "date", "eventdate", "orderdate",
             "invoicedate", "purchasedate", "transactiondate", "createdat", "orderedat", "occurredat", "paidat"),
    "type": ("eventtype", "type", "event", "eventname", "action"),
    "item": ("itemid", "item", "productid", "sku", "stockcode", "lineitemsku", "lineitemname"),
    "amount": ("amount", "revenue", "total", "totalprice", "totalamount", "ordertotal", "orderamount", "linetotal",
               "grandtotal", "netamount", "value", "sales", "ecommerce.purchase_revenue"),
    "price": ("price", "unitprice", "itemprice", "productprice", "lineitemprice", "priceperunit", "saleprice",
              "sellingprice", "unitamount"),
    "quantity": ("quantity", "qty", "nitems", "lineitemquantity", "units"),
    "known_at": ("knownat", "ingestedat", "loadedat"),
}  # fmt: skip
"""Names by which columns are found, without blanks and underscores, the likelier first; a path leads into a STRUCT."""
READERS = {".parquet": "read_parquet", ".csv": "read_csv", ".tsv": "read_csv", ".json": "read_json",
           ".jsonl": "read_json", ".ndjson": "read_json"}  # fmt: skip
PACKED = (".gz", ".zst")
TAKEN_BACK = re.compile("refund|cancel|return|void|status", re.IGNORECASE)


@dataclass(frozen=True)
class EventSource:
    """One source of events: a table, view or file, and which columns or SQL expressions of it mean what.

    A column that is None is looked for by its name; `''` means: none.

    Attributes:
        relation: The table, view or file.
        type_value: One type for all events, instead of `type`.
        where: A condition: which rows are events.
        time_format: The format of `time`, as of strptime.
        decimal: The decimal mark of numbers kept as text.
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
    time_format: str | None = None
    decimal: str | None = None


@dataclass(frozen=True)
class View:
    """A CREATE VIEW statement, and what to tell of how the columns are read."""

    sql: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Relation:
    """A source: how the user wrote it, as SQL, its columns; for a file how DuckDB reads it."""

    name: str
    sql: str
    types: Mapping[str, str]
    reader: str = ""

    @property
    def is_guessed(self) -> bool:
        """Whether DuckDB has guessed the types from the text of a file."""
        return self.reader in ("read_csv", "read_json")

    def with_text(self, columns: Sequence[str]) -> _Relation:
        """The file with these columns read as they are written."""
        if not columns:
            return self
        types = {**self.types, **dict.fromkeys(columns, "VARCHAR")}
        named = columns if self.reader == "read_csv" else types
        given = ", ".join(f"{literal(name)}: {literal(types[name])}" for name in named)
        option = "types" if self.reader == "read_csv" else "columns"
        return replace(self, sql=f"{self.sql[:-1]}, {option} = {{{given}}})", types=types)


@dataclass(frozen=True)
class _Value:
    """What was given or found for a role: as the user writes it, as SQL, its type; the column where it is one."""

    name: str
    sql: str
    kind: str
    column: str = ""


def write(cursor: duckdb.DuckDBPyConnection, script: str) -> None:
    """Run the CREATE VIEW statements of a mapping and read the views once; on an error the old ones stay.

    Raises:
        DataError: A view cannot be read, or breaks the contract.
    """
    cursor.execute("BEGIN").fetchall()
    try:
        cursor.execute(script).fetchall()
        for relation in (name for name in (EVENTS, CUSTOMERS, ITEMS) if behavior.columns(cursor, name)):
            cursor.execute(f"SELECT count(COLUMNS(*)) FROM behavior.{relation}").fetchall()
        if behavior.columns(cursor, EVENTS):
            behavior.read(cursor)
    except BaseException as error:
        cursor.execute("ROLLBACK").fetchall()
        if isinstance(error, duckdb.Error):
            raise _unreadable(error) from error
        raise
    cursor.execute("COMMIT").fetchall()


def events_view(cursor: duckdb.DuckDBPyConnection, sources: Sequence[EventSource]) -> View:
    """The view behavior.events over one or several sources.

    Raises:
        DataError: A source or a column does not exist, no column looks like the customer or the time, or values are
            not read as what they should be.
    """
    try:
        selects = [_events_select(cursor, source) for source in sources]
    except duckdb.Error as error:
        raise _unreadable(error) from error
    body = "\nUNION ALL BY NAME\n".join(select.sql for select in selects)
    return View(f"CREATE OR REPLACE VIEW behavior.events AS\n{body};", sum((s.notes for s in selects), ()))


def entity_view(cursor: duckdb.DuckDBPyConnection, name: str, key: str, relation: str, given: str | None) -> View:
    """The view behavior.customers or behavior.items: all columns, the key renamed, `valid_from` in UTC.

    Raises:
        DataError: The source or the key does not exist, or a `valid_from` is no time.
    """
    source = _relation(cursor, relation)
    role = "customer" if key == "customer_id" else "item"
    value = _given_or_found(cursor, source, role, given, f"--{role}-key")
    if value is None:
        raise _none_looks_like(source, role, f"--{role}-key")
    source, written, since = _valid_from(cursor, source) if name == CUSTOMERS else (source, None, None)
    taken = (value.column, written if since else None)
    named = ", ".join(identifier(c) for c in source.types if c in taken or c.lower() == key)
    rest = f"* EXCLUDE ({named})" if named else "*"
    rest += f", {since.sql} AS valid_from" if since else ""
    select = f"SELECT {value.sql} AS {key}, {rest}\nFROM {source.sql}\nWHERE {value.sql} IS NOT NULL"
    return View(f"CREATE OR REPLACE VIEW behavior.{name} AS\n{select};", _notes([since]))


def _valid_from(cursor: duckdb.DuckDBPyConnection, source: _Relation) -> tuple[_Relation, str | None, Reading | None]:
    """The source as it is read, the column of `valid_from`, and how it becomes that, in UTC, where it is not."""
    column = _find(source.types, "valid_from")
    if column is None:
        return source, None, None
    if _is_misread(cursor, source, column):
        source = source.with_text([column])
    reading = values.time(cursor, _column(source, _value(cursor, source, column, ""), ""))
    return source, column, None if reading.sql == "valid_from" else reading


def _events_select(cursor: duckdb.DuckDBPyConnection, source: EventSource) -> View:
    relation = _relation(cursor, source.relation)
    if source.where:
        _require_one(cursor, f"SELECT ({source.where}\n)", f"--where {source.where}")
    relation = relation.with_text(_as_written(cursor, relation, source, _values(cursor, relation, source)))
    values = _values(cursor, relation, source)
    for role in ("customer", "time"):
        if role not in values:
            raise _none_looks_like(relation, role, f"--{role}")
    for role in ("customer", "item"):
        if role in values and _is_nested(values[role].kind):
            raise _nested(relation, values[role], f"--{role}")
    read = {role: _reading(cursor, relation, source, role, value) for role, value in values.items()}
    if source.amount is None and "price" in read:
        read["amount"] = _amount(values, read)
    listed = [f"{read[role].sql} AS {column}" for role, column in COLUMNS.items() if role in read]
    if source.type_value is not None:
        listed.append(f"{literal(source.type_value)} AS event_type")
    columns = ",\n       ".join(listed)
    condition = f"\nWHERE {source.where}" if source.where else ""
    notes = (*_notes(read.values()), *_unused(relation, source, columns))
    return View(f"SELECT {columns}\nFROM {relation.sql}{condition}", notes)


def _unused(relation: _Relation, source: EventSource, used: str) -> Iterator[str]:
    """A note on columns that may say what was taken back, where the user did not say what counts."""
    if source.amount is not None or source.where is not None:
        return
    left = [each for each in relation.types if TAKEN_BACK.search(each) and identifier(each) not in used]
    if left:
        yield (
            f"Not used: {', '.join(left)}. Where they say what was refunded, cancelled or not paid, take it off: "
            f'--amount "total - refunded", or leave rows out: --where.'
        )


def _values(cursor: duckdb.DuckDBPyConnection, relation: _Relation, source: EventSource) -> dict[str, _Value]:
    """What each role is; the price of one item only where no amount is given or found."""
    found = {}
    for role in COLUMNS:
        if role == "type" and source.type_value is not None:
            continue
        value = _given_or_found(cursor, relation, role, getattr(source, role), _flag(role))
        if value is not None:
            found[role] = value
    if source.amount is None and "amount" not in found and (price := _guess(cursor, relation, "price")):
        found["price"] = price
    return found


def _as_written(
    cursor: duckdb.DuckDBPyConnection, relation: _Relation, source: EventSource, values: Mapping[str, _Value]
) -> list[str]:
    """The columns of a file whose text is to be read, not what DuckDB takes it for."""
    if not relation.is_guessed:
        return []
    numbers = [values[role] for role in ("amount", "price", "quantity") if role in values and source.decimal]
    times = [values[role] for role in ("time", "known_at") if role in values]
    wrong = [
        v for v in times if (source.time_format and v is values.get("time"))
        or _is_misread(cursor, relation, v.column, source.where)
    ]  # fmt: skip
    return sorted({value.column for value in (*numbers, *wrong) if value.column})


def _is_misread(cursor: duckdb.DuckDBPyConnection, relation: _Relation, column: str, where: str | None = None) -> bool:
    """Whether the type that DuckDB gave to a time in a file may say something else than what is written there."""
    kind = relation.types.get(column, "")
    if not relation.is_guessed or kind not in (*TIMES, ZONED):
        return False
    text = relation.with_text([column])
    value = _Value(column, identifier(column), "VARCHAR", column)
    return not values.is_faithful(cursor, _column(text, value, "--time", where), kind)


def _reading(
    cursor: duckdb.DuckDBPyConnection, relation: _Relation, source: EventSource, role: str, value: _Value
) -> Reading:
    column = _column(relation, value, _flag("amount" if role == "price" else role), source.where)
    if role in ("time", "known_at"):
        return values.time(cursor, column, source.time_format)
    if role in ("amount", "price", "quantity"):
        return values.number(cursor, column, source.decimal)
    return Reading(f"{value.sql}::VARCHAR" if role == "type" else value.sql)


def _amount(values: Mapping[str, _Value], read: Mapping[str, Reading]) -> Reading:
    """Price times quantity, where both are there; else the price."""
    price = values["price"].name
    if "quantity" not in values:
        return read["price"]
    quantity = values["quantity"].name
    note = (
        f"amount is {price} * {quantity}: no column looks like a total, and a price beside a quantity is taken for the "
        f'price of one. If {price} is that of all: --amount "{price}".'
    )
    return Reading(f"{read['price'].sql} * {read['quantity'].sql}", note)


def _column(relation: _Relation, value: _Value, option: str, where: str | None = None) -> Column:
    rows = f"{relation.sql} WHERE {where}" if where else relation.sql
    return Column(f"{relation.name}: {value.name}", value.sql, value.kind, rows, option)


def _given_or_found(
    cursor: duckdb.DuckDBPyConnection, relation: _Relation, role: str, given: str | None, option: str
) -> _Value | None:
    if given is None:
        return _guess(cursor, relation, role)
    return _value(cursor, relation, given, option) if given else None


def _value(cursor: duckdb.DuckDBPyConnection, relation: _Relation, given: str, option: str) -> _Value:
    """A column, a path into a STRUCT, or an expression.

    Raises:
        DataError: It is none of them.
    """
    column = _find(relation.types, given)
    if column is not None:
        return _Value(column, identifier(column), relation.types[column], column)
    sql = _path(relation.types, given)
    if sql is None:
        sql = f"({given})"
        _require_one(cursor, f"SELECT ({given}\n)", f"{option} {given}")
    try:
        kind = str(cursor.execute(f"DESCRIBE SELECT {sql} AS value FROM {relation.sql}").fetchall()[0][1])
    except duckdb.Error as error:
        if re.fullmatch(r"[\w ]+", given):
            hint = did_you_mean(given, relation.types, "columns").strip()
            raise DataError(f"{relation.name} has no column '{given}'.\n{hint}\n"
                            f"Give {option} with one of them, or with an SQL expression.") from error  # fmt: skip
        raise _no_expression(f"{option} {given}", error, relation.types) from error
    return _Value(given, sql, kind)


def _guess(cursor: duckdb.DuckDBPyConnection, relation: _Relation, role: str) -> _Value | None:
    """The column with the likeliest name for a role."""
    for guess in GUESSES[role]:
        found = _find(relation.types, guess)
        if found is not None and not _is_nested(relation.types[found]):
            return _value(cursor, relation, found, "")
        head, _, field = guess.partition(".")
        if field and re.search(rf"^STRUCT\(.*\b{field}\b", relation.types.get(head, "")):
            return _value(cursor, relation, guess, "")
    return None


def _is_nested(kind: str) -> bool:
    return kind.startswith(("STRUCT(", "MAP(")) or kind.endswith("]")


def _find(types: Mapping[str, str], name: str) -> str | None:
    """The column of this name; else the first that is the same but for case, blanks and underscores."""
    if name in types:
        return name
    return next((each for each in types if _plain(each) == _plain(name)), None) if _plain(name) else None


def _plain(name: str) -> str:
    return re.sub(r"[\s_]+", "", name.lower())


def _path(types: Mapping[str, str], given: str) -> str | None:
    """`payload.user.id` as SQL, quoted; None where it is no path into a column."""
    head, *fields = given.split(".")
    if head not in types or not fields or not all(re.fullmatch(r"\w+", field) for field in fields):
        return None
    return ".".join(map(identifier, (head, *fields)))


def _relation(cursor: duckdb.DuckDBPyConnection, name: str) -> _Relation:
    """A relation as SQL, fully qualified (a view looks in its own schema first), and its columns."""
    path = Path(name)
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() not in PACKED]
    reader = READERS.get(suffixes[-1], "") if suffixes else ""
    if reader:
        if "*" not in name and not path.exists():
            raise DataError(f"There is no file {name}.")
        place = str(path.resolve())
        sql = f"{reader}({literal(glob.escape(place) if path.exists() else place)})"
    else:
        sql = name if "." in name or name.startswith('"') else f"main.{identifier(name)}"
        if sql.replace('"', "").lower().startswith("behavior."):
            raise DataError(f"{name} is what map writes: name the table or file that it should read.")
    try:
        _require_one(cursor, f"FROM {sql}", name)
        described = cursor.execute(f"DESCRIBE SELECT * FROM {sql}").fetchall()
    except duckdb.Error as error:
        raise DataError(
            f"Cannot read {name}: {first_line(error)}.\n"
            f"Understood: a table or view, or a file that ends in {', '.join(READERS)}, also {' or '.join(PACKED)}.\n"
            "Write a view over anything else, and name the view."
        ) from error
    return _Relation(name, sql, {column: str(kind) for column, kind, *_ in described}, reader)


def _require_one(cursor: duckdb.DuckDBPyConnection, query: str, given: str) -> None:
    """Check that what a user gives is one piece of a query, before any of it runs."""
    try:
        statements = cursor.extract_statements(query)
    except duckdb.Error as error:
        raise _no_expression(given, error, {}) from error
    if len(statements) != 1:
        raise DataError(f"One expression is expected, not another statement: {statements[1].query.strip()}")


def _no_expression(given: str, error: duckdb.Error, types: Mapping[str, str]) -> DataError:
    known = f" Columns: {', '.join(types)}." if types else ""
    return DataError(
        f"{given} cannot be read: {first_line(error)}.{known}\n"
        "Understood: a column, a path into a STRUCT (user.id), or one SQL expression over the columns.\n"
        'Give it in quotes, e.g. --customer "payload->>\'$.user\'" or --amount "price * quantity".'
    )


def _none_looks_like(relation: _Relation, role: str, option: str) -> DataError:
    names = ", ".join(GUESSES[role][:5])
    return DataError(
        f"No column of {relation.name} looks like the {role}. Columns: {', '.join(relation.types)}.\n"
        f"Understood: names such as {names}, in any case, with blanks or underscores.\n"
        f"Give {option} with a column or an SQL expression."
    )


def _nested(relation: _Relation, value: _Value, option: str) -> DataError:
    return DataError(
        f"{relation.name}: {value.name} is {value.kind}, which holds several values.\n"
        "Understood: a column or expression of one value a row.\n"
        f'Give {option} with a path, e.g. "{value.name}.id" of a STRUCT or "{value.name}[1].id" of a list.'
    )


def _unreadable(error: duckdb.Error) -> DataError:
    said = "; ".join(str(error).partition("\n\n")[0].splitlines())
    return DataError(
        f"The views cannot be written and read, so nothing was changed: {said}\n"
        "Understood: sources whose every value can be read as the type of its column.\n"
        'Give an expression that says what to do with such values, e.g. --amount "TRY_CAST(total AS DOUBLE)", '
        "or leave their rows out by --where."
    )


def _notes(read: Iterable[Reading | None]) -> tuple[str, ...]:
    return tuple(reading.note for reading in read if reading and reading.note)


def _flag(role: str) -> str:
    return f"--{role.replace('_', '-')}"
