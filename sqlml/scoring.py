"""Scores of every customer, written a part of the customers at a time: a run that was stopped goes on where it stood.

A part is written whole or not at all, and no customer is in two; the result takes its place when all are there.
"""

from __future__ import annotations

import glob
import json
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import duckdb

from sqlml import behavior, queries
from sqlml.connection import Connection
from sqlml.errors import DataError, ModelError
from sqlml.options import QueryOptions
from sqlml.queries import identifier, literal, without_formulas

if TYPE_CHECKING:
    from sqlml.catalog import Version
    from sqlml.training import Watch

PART_EVENTS, PART_CUSTOMERS = 10_000_000, 500_000
"""A part is whole with so many events, or so many customers, or half of each."""
WRITTEN, UNFINISHED = "Scores written by sqlml", "Scores that sqlml has not written to the end: "
"""Comments by which tables are known that may be replaced, or gone on with."""
SUFFIX = "unfinished"
"""What stands behind the name of a result that is not whole yet."""
DONE, ABOUT = "done", "job.json"
TOO_LARGE = ("HUGEINT", "UHUGEINT")
"""Types of ids that become inexact in a parquet file."""
FORMATS = (".parquet", ".csv", ".json")


@dataclass(frozen=True)
class Job:
    """What is scored. A run that was stopped is gone on with where all of this is as it was.

    Attributes:
        model: Name of the model.
        version: Its version.
        version_id: What names the version for ever.
        as_of: The moment, as text.
        parts: In how many parts.
        customers: How many customers there are.
        ids: A checksum of their ids.
        attributes: A checksum of behavior.customers.
        items: A checksum of behavior.items.
        events: A checksum of the events known at the moment.
    """

    model: str
    version: int
    version_id: str
    as_of: str
    parts: int
    customers: int
    ids: str
    attributes: str
    items: str
    events: str


class Sink(Protocol):
    """Where scores go."""

    def begin(self, job: Job) -> int:
        """How many parts of this very job are there already; those of another are removed, with a word."""
        ...

    def add(self, part: int, select: str) -> None:
        """Write one part, whole or not at all."""
        ...

    def finish(self) -> None:
        """Let what was written take its place.

        Raises:
            DataError: Not every customer has one row; what stood there before stands.
        """
        ...


def job(con: Connection, model: str, as_of: str | None) -> Job:
    """What there is to do; customers and parts are left in the temporary table `sqlml_customers`.

    A part is of neighbours by id: where events lie sorted by customer, it reads its own alone.

    Raises:
        ModelError: There is no such model, or it is one of rows.
        DataError: No event is known at the moment.
        duckdb.Error: The moment lies further after the newest event than the log is silent.
    """
    version = con.catalog().version(model)
    if isinstance(version.options, QueryOptions):
        raise ModelError(
            f"{model} is a model of rows, not of customers: FROM ml.predict('{model}', 'SELECT ...') scores rows."
        )
    moment = _moment(con, version, as_of)
    relations = behavior.read(con.native)
    everyone = queries.text(f"functions/all_ids{'_with_customers' if relations.customers else ''}")
    given = {"as_of": moment, "events": PART_EVENTS, "customers": PART_CUSTOMERS, "whole": PART_EVENTS * PART_CUSTOMERS}
    divided = queries.text("functions/parts", ids=everyone)
    con.execute(f"CREATE OR REPLACE TEMP TABLE sqlml_customers AS {divided}", given).fetchall()
    query = """SELECT count(*), coalesce(bit_xor(hash(customer_id)), 0)::VARCHAR, coalesce(max(part), 0) + 1
               FROM temp.sqlml_customers"""
    customers, ids, parts = con.execute(query).fetchall()[0]
    attributes = queries.checksum(con, "behavior.customers") if relations.customers else ""
    items = queries.checksum(con, "behavior.items") if relations.items else ""
    events = queries.checksum(con, f"(FROM behavior.events WHERE event_time <= TIMESTAMP {literal(moment)})")
    return Job(model, version.version, version.version_id, moment, parts, customers, ids, attributes, items, events)


def _moment(con: Connection, version: Version, as_of: str | None) -> str:
    """The moment to score at: the one asked for, in UTC, or the newest event."""
    query = queries.text("functions/scored_at", moment=queries.asked_moment(version.silence))
    asked = f"SELECT {queries.text('binding/utc', text=literal(as_of))}::VARCHAR" if as_of else "SELECT NULL"
    try:
        given = {"as_of": con.execute(asked).fetchall()[0][0]}
    except duckdb.ConversionException as error:
        raise DataError(f"--as-of {as_of} is no time: write 2025-06-01 or 2025-06-01T12:00, in UTC.") from error
    moment, first, is_known = con.execute(query, given).fetchall()[0]
    if moment is None or first is None:
        raise DataError("behavior.events holds no event up to now, so there is nothing to score.")
    if not is_known:
        raise DataError(f"No event is known at {moment}: the first one is of {first}. Give a later --as-of.")
    return str(moment)


def score(con: Connection, todo: Job, sink: Sink, watch: Watch, done: int) -> None:
    """Write the parts that are not done yet of the scores of all customers that `job` left.

    Raises:
        DataError: Not every customer has one row.
    """
    for part in range(done, todo.parts):
        watch(part, todo.parts, math.nan)
        con.execute(f"""CREATE OR REPLACE TEMP TABLE sqlml_asked AS
            SELECT * EXCLUDE (part) FROM temp.sqlml_customers WHERE part = {part}""").fetchall()
        sink.add(part, f"FROM main.{identifier(todo.model + '_at')}('temp.sqlml_asked')")
    watch(todo.parts, todo.parts, math.nan)
    sink.finish()


def _tell_of_another(job: Job, state: dict[str, Any]) -> None:
    now = asdict(job)
    differing = sorted(name for name in {*now, *state} if state.get(name) != now.get(name))
    if state:
        warnings.warn(
            f"The unfinished run that stood here was another one ({', '.join(differing)} differ): begun anew.",
            stacklevel=3,
        )


def _require_each_once(con: Connection, relation: str, job: Job) -> None:
    query = f"SELECT count(*), count(DISTINCT customer_id) FROM {relation}"
    rows, customers = con.execute(query).fetchall()[0]
    if rows > customers == job.customers and _has_customers_twice(con):
        raise DataError(
            f"{rows:,} scores of {customers:,} customers: behavior.customers has several rows of a customer, which "
            "`sqlml check` shows. What stood there before stands. Score again once each has one."
        )
    if not rows == customers == job.customers:
        raise DataError(
            f"{rows:,} scores of {customers:,} of {job.customers:,} customers: did another run write there at the same "
            "time? What stood there before stands. Score again."
        )


def _has_customers_twice(con: Connection) -> bool:
    if not behavior.read(con.native).customers:
        return False
    return bool(con.execute(queries.text("checks/error_customers_twice")).fetchall())


class Table:
    """A table of the database; one that is there is replaced if sqlml wrote it."""

    def __init__(self, con: Connection, name: str) -> None:
        self._con = con
        if not name or name.startswith(".") or any(mark in name for mark in "/\\"):
            raise DataError(f"'{name}' is no table and no file: a file ends in {', '.join(FORMATS)}.")
        schema, _, table = name.rpartition(".")
        self._schema, self._table = schema or "main", table
        if schema.lower() in ("ml", "behavior"):
            raise DataError(
                f"Schema {schema} is not for scores: name a table of another schema, e.g. --to {table}_today."
            )
        schemas = {name for (name,) in con.execute("SELECT lower(schema_name) FROM duckdb_schemas()").fetchall()}
        if self._schema.lower() not in schemas:
            raise DataError(f"There is no schema {schema} for a table {name}. A file ends in {', '.join(FORMATS)}.")
        for table, ours in ((self._table, WRITTEN), (self._part, UNFINISHED)):
            comment = self._comment(table)
            if comment is not None and not comment.startswith(ours):
                raise DataError(f"There is a table {table} that sqlml did not write: drop it, or name another.")

    def begin(self, job: Job) -> int:
        """See `Sink`."""
        self._job = job
        state = _state((self._comment(self._part) or "").removeprefix(UNFINISHED))
        done = state.pop(DONE, 0)
        if state != asdict(job):
            _tell_of_another(job, state)
            self._con.execute(f"DROP TABLE IF EXISTS {self._named(self._part)}").fetchall()
            return 0
        return int(done)

    def add(self, part: int, select: str) -> None:
        """See `Sink`."""
        table = self._named(self._part)
        write = f"CREATE TABLE {table} AS {select}" if part == 0 else f"INSERT INTO {table} {select}"
        with self._transaction():
            self._con.execute(write).fetchall()
            self._comment_on(self._part, UNFINISHED + json.dumps({**asdict(self._job), DONE: part + 1}))

    def finish(self) -> None:
        """See `Sink`."""
        try:
            _require_each_once(self._con, self._named(self._part), self._job)
        except DataError:
            self._con.execute(f"DROP TABLE {self._named(self._part)}").fetchall()
            raise
        with self._transaction():
            self._con.execute(f"DROP TABLE IF EXISTS {self._named(self._table)}").fetchall()
            self._con.execute(f"ALTER TABLE {self._named(self._part)} RENAME TO {identifier(self._table)}").fetchall()
            self._comment_on(self._table, WRITTEN)

    @property
    def _part(self) -> str:
        return f"{self._table}_{SUFFIX}"

    def _named(self, table: str) -> str:
        return f"{identifier(self._schema)}.{identifier(table)}"

    def _comment(self, table: str) -> str | None:
        """That of a table or view, '' where it has none; None: there is neither."""
        query = """SELECT coalesce(comment, '') FROM (
                       SELECT table_name AS name, schema_name, database_name, comment FROM duckdb_tables()
                       UNION ALL SELECT view_name, schema_name, database_name, '' FROM duckdb_views())
                   WHERE lower(name) = lower(?) AND lower(schema_name) = lower(?)
                   AND database_name = current_database()"""
        found = self._con.execute(query, [table, self._schema]).fetchall()
        return str(found[0][0]) if found else None

    def _comment_on(self, table: str, text: str) -> None:
        self._con.execute(f"COMMENT ON TABLE {self._named(table)} IS {literal(text)}").fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._con.execute("BEGIN").fetchall()
        try:
            yield
        except BaseException:
            self._con.execute("ROLLBACK").fetchall()
            raise
        self._con.execute("COMMIT").fetchall()


class File:
    """A .parquet, .csv or .json file; the parts wait in a folder beside it."""

    def __init__(self, con: Connection, path: Path, no_formulas: bool = False) -> None:
        self._con, self._path, self._no_formulas = con, path, no_formulas
        self._folder = path.with_name(f"{path.name}.{SUFFIX}")
        if not path.parent.is_dir():
            raise DataError(f"There is no folder {path.parent} to write {path.name} to.")
        if path.is_dir():
            raise DataError(f"{path} is a folder: name a file.")
        kind = behavior.read(con.native).events.get("customer_id", "")
        if kind in TOO_LARGE:
            raise DataError(f"customer_id is {kind}, which the parts of a file (parquet) do not hold: name a table.")

    def begin(self, job: Job) -> int:
        """See `Sink`."""
        self._job, about = job, self._folder / ABOUT
        if self._path.exists() and self._columns(literal(glob.escape(str(self._path)))) != self._columns(
            f"(SELECT * EXCLUDE (part) FROM main.{identifier(f'{job.model}_at')}('temp.sqlml_customers'))"
        ):
            raise DataError(f"{self._path} is there, and holds no scores of {job.model}: move it away.")
        state = _state(about.read_text(encoding="utf-8")) if about.exists() else {}
        if state != asdict(job):
            _tell_of_another(job, state)
            if self._folder.exists() and not about.exists() and any(self._folder.iterdir()):
                raise DataError(f"There is a folder {self._folder} that sqlml did not make: move it away.")
            self._clear()
            self._folder.mkdir()
            about.write_text(json.dumps(asdict(job)), encoding="utf-8")
        return next((part for part in range(job.parts) if not self._part(part).exists()), job.parts)

    def add(self, part: int, select: str) -> None:
        """See `Sink`."""
        self._write(select, self._part(part))

    def finish(self) -> None:
        """See `Sink`."""
        listed = ", ".join(literal(str(self._part(part))) for part in range(self._job.parts))
        parts = f"read_parquet([{listed}], hive_partitioning = false)"
        try:
            _require_each_once(self._con, parts, self._job)
        except DataError:
            self._clear()
            raise
        except (duckdb.IOException, duckdb.InvalidInputException) as error:
            raise DataError(f"A part in {self._folder} cannot be read: remove the folder and score again.") from error
        select = f"FROM {parts}"
        if self._no_formulas and self._path.suffix.lower() == ".csv":
            columns = {name: str(kind) for name, kind, *_ in self._con.native.execute(f"DESCRIBE {select}").fetchall()}
            select = without_formulas(select, columns)
        self._write(select, self._path)
        self._clear()

    def _columns(self, relation: str) -> list[str]:
        """Names of the columns; none where DuckDB cannot read it."""
        try:
            return [name for name, *_ in self._con.native.execute(f"DESCRIBE FROM {relation}").fetchall()]
        except duckdb.Error:
            return []

    def _part(self, number: int) -> Path:
        return self._folder / f"{number:06}.parquet"

    def _write(self, select: str, path: Path) -> None:
        """Write a file under another name, then give it its own."""
        partly = self._folder / f"{path.name}.partly"
        form = path.suffix.lower().removeprefix(".")
        self._con.execute(f"COPY ({select}) TO {literal(str(partly))} (FORMAT {form})").fetchall()
        partly.replace(path)

    def _clear(self) -> None:
        """Remove the folder; what says that it is ours goes last."""
        if self._folder.exists():
            for file in sorted(self._folder.iterdir(), key=lambda file: file.name == ABOUT):
                file.unlink()
            self._folder.rmdir()


def _state(text: str) -> dict[str, Any]:
    """What was stored beside an unfinished result; nothing of what cannot be read."""
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
