"""`connect()` and `register()`: a DuckDB connection that also understands sqlml's statements."""

from __future__ import annotations

import os
import re
import secrets
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import duckdb

# Underscored: DuckDB looks for the caller's tables among the names of this module first.
from sqlml import advice as _advice
from sqlml import constants as _constants
from sqlml import frames as _frames
from sqlml import interruption as _interruption
from sqlml import lifecycle as _lifecycle
from sqlml import options as _options
from sqlml import queries as _queries
from sqlml.catalog import Catalog, Version
from sqlml.errors import CatalogError, ExistsError, ModelError, SqlmlError, StatementError, first_line, plain
from sqlml.lifecycle import Expected, Workplace
from sqlml.options import BehaviorOptions, QueryOptions
from sqlml.progress import on_stderr
from sqlml.queries import identifier
from sqlml.registry import Registry
from sqlml.shown import RESULTS, Shown
from sqlml.statements import (
    BacktestModel,
    CreateModel,
    DescribeModel,
    DropModel,
    EvaluateModel,
    ExplainModel,
    ExportModel,
    Foreign,
    ImportModel,
    PromoteVersion,
    RenameModel,
    RetrainModel,
    ShowModels,
    Statement,
    parse,
)

if TYPE_CHECKING:
    from sqlml.udf import Forward


@dataclass
class _Root:
    """The connection that owns the functions of one open database, shared by all connections of this process."""

    native: duckdb.DuckDBPyConnection
    registry: Registry
    users: int = 0
    process: int = field(default_factory=os.getpid)


_roots: dict[str, _Root] = {}
_lock = threading.RLock()
WRITES = {
    CreateModel: "CREATE MODEL",
    DropModel: "DROP MODEL",
    PromoteVersion: "ALTER MODEL",
    RenameModel: "ALTER MODEL",
    RetrainModel: "ALTER MODEL ... RETRAIN",
    ImportModel: "IMPORT MODEL",
    BacktestModel: "BACKTEST MODEL",
}
RECORDS = {CreateModel: "report", ImportModel: "report", BacktestModel: "backtest"}
"""The file of sql/catalog that shows what a statement made."""
EVALUATION = {"method": "VARCHAR", "population": "VARCHAR", "metric": "VARCHAR", "value": "DOUBLE", "low": "DOUBLE",
              "high": "DOUBLE", "in_sample": "BOOLEAN"}  # fmt: skip
_HIDING = re.compile(r"\b(MACRO|FUNCTION|search_path|USE|schema)\b", re.IGNORECASE)
"""Words of statements after which a macro may be found before a function of DuckDB's own."""
BATCH = 16_384
"""Rows of a query that are held at a time."""
Query = tuple[str, Sequence[object]]
"""A query, with parameters, whose result is that of a statement of ours."""


def connect(path: str | Path = ":memory:", read_only: bool = False, **config: Any) -> Connection:  # noqa: ANN401
    """Open a database as `duckdb.connect` does; the models stored in it can be called at once.

    Args:
        path: A DuckDB file, made if it is missing, or `:memory:`.
        read_only: Open an existing file for reading; several processes may.
        **config: DuckDB's settings, e.g. `threads=2`.

    Raises:
        CatalogError: The file's schema `ml` is not ours, or from a newer sqlml.
        ModelError: The file is open in the process that this one was forked from.
        duckdb.Error: As DuckDB's own.
    """
    with _lock:
        key = _key(path)
        if key in _roots:
            _require_own_process(_roots[key].process)
        native = duckdb.connect(str(path), read_only=read_only, config=config)
        root = _roots.setdefault(key, _Root(native, Registry(native, _load)))
        root.users += 1
        try:
            _register_all(root.native, root.registry)
            return Connection(root.native.cursor(), root.native, root.registry, release=lambda: _release(key))
        except BaseException:
            _release(key)
            raise
        finally:
            if root.native is not native:
                native.close()


def register(connection: duckdb.DuckDBPyConnection) -> Connection:
    """Make the stored models callable from a native DuckDB connection (dbt, ibis, JupySQL).

    Returns:
        A connection over the same one that also understands sqlml's statements. Closing it closes nothing else.
    """
    root = connection.cursor()  # one of its own: the connection may stand in a transaction
    registry = Registry(root, _load)
    _register_all(root, registry)
    return Connection(connection.cursor(), root, registry)


class Connection:
    """A DuckDB connection that runs sqlml's statements itself and hands everything else to DuckDB untouched."""

    def __init__(
        self,
        native: duckdb.DuckDBPyConnection,
        root: duckdb.DuckDBPyConnection,
        registry: Registry,
        *,
        parent: Connection | None = None,
        release: Callable[[], None] = lambda: None,
    ) -> None:
        self._connection, self._root, self._registry, self._parent = native, root, registry, parent
        self._shown: Shown | None = None
        self._may_hide, self._hidden = False, set[str]()
        self._process = os.getpid()
        self._asked_to_stop = threading.Event()
        self._cursors: list[duckdb.DuckDBPyConnection] = []
        self._release = weakref.finalize(self, release)
        native.execute("SET SESSION python_scan_all_frames = true").fetchall()  # the caller's variables lie above ours

    def execute(self, query: object, parameters: object = None) -> Connection:
        """Run a script; the result of its last statement can be fetched.

        That of a statement of ours is kept whole, and leaves the connection free; rows that EXPLAIN ... FOR explains
        stream like those of a SELECT.
        """
        _given, _parameters = query, parameters
        del query, parameters  # DuckDB looks for the caller's tables among our variables first
        self._shown = None
        if not isinstance(_given, str):
            self._native.execute(_given, _parameters)  # type: ignore[arg-type]
            return self
        with self._interruptible():
            for _statement in _statements(_given):
                self._execute(_statement, _parameters)
        return self

    def _execute(self, _statement: Statement, _parameters: object) -> None:
        self._shown = None
        if isinstance(_statement, Foreign):
            with self._advised(_statement.text):
                self._native.execute(_statement.text, _parameters)
            self._may_hide = bool(_HIDING.search(_statement.text))
            return
        _statement, _text, _values = self._perform(_statement, _parameters)
        with self._advised(_text):
            if _streams(_statement):
                self._native.execute(_text, _values)
            else:
                self._shown = Shown(self._native.sql(_text, params=_values))

    def sql(self, query: object, **options: Any) -> duckdb.DuckDBPyRelation | None:  # noqa: ANN401
        """As DuckDB's `sql`: a relation of the last statement."""
        _given, _options = query, options
        del query, options
        if not isinstance(_given, str):
            return self._native.sql(_given, **_options)  # type: ignore[arg-type]
        _relation = None
        with self._interruptible():
            for _statement in _statements(_given):
                _relation = self._sql(_statement, _options)
        return _relation

    def _sql(self, _statement: Statement, _options: Mapping[str, Any]) -> duckdb.DuckDBPyRelation | None:
        if isinstance(_statement, Foreign):
            with self._advised(_statement.text):
                _relation = self._native.sql(_statement.text, **_options)
            self._may_hide = bool(_HIDING.search(_statement.text))
            return _relation
        _statement, _text, _values = self._perform(_statement, _options.get("params"))
        with self._advised(_text):
            _relation = self._native.sql(_text, params=_values)
        return _relation if _streams(_statement) else _relation.materialize()

    query = sql

    def cursor(self) -> Connection:
        """Another connection to the same database, with its own transaction."""
        return Connection(self._native.cursor(), self._root, self._registry, parent=self)

    duplicate = cursor

    def attach(self, path: str | Path, alias: str | None = None, *, read_only: bool = False) -> Connection:
        """Attach a further database file; after `USE alias` its models can be called.

        Raises:
            SqlmlError: Its models cannot be called here; it is not attached then.
        """
        name = alias or Path(path).stem
        options = " (READ_ONLY)" if read_only else ""
        self._native.execute(f"ATTACH {_queries.literal(str(path))} AS {identifier(name)}{options}").fetchall()
        try:
            _register_all(self._root, self._registry)
        except BaseException:
            self._native.execute(f"DETACH {identifier(name)}").fetchall()
            raise
        return self

    def register_behavior(self, events: object = None, customers: object = None, items: object = None) -> Connection:
        """Write data frames as the tables of schema `behavior`, all of them or none, and check the contract.

        What was written so before is replaced; what is not given stays. Times with an offset become UTC. Without
        customers, behavior.customers lists the ids of the events.

        Args:
            events: A DataFrame of pandas or polars, a table of pyarrow or a relation of DuckDB, with columns
                customer_id, event_time and optionally event_type, item_id, amount, quantity, known_at.
            customers: One row a customer: customer_id and attributes.
            items: One row an item: item_id and attributes.

        Raises:
            DataError: A frame breaks the contract: nothing was written.
        """
        self._refuse_in_transaction("register_behavior()")
        given = {"events": events, "customers": customers, "items": items}
        with self._workplace(*self._where()) as place:
            _frames.write(place.cursor, {name: frame for name, frame in given.items() if frame is not None})
        return self

    def interrupt(self) -> None:
        """Stop what runs on this connection, from another thread: a query, or a training after its current steps.

        Whoever ran it gets duckdb.InterruptException. A statement of ours is then not written, unless its transaction
        had been committed already: what is stored decides.
        """
        self._asked_to_stop.set()
        self._native.interrupt()
        for cursor in [*self._cursors]:
            with suppress(duckdb.ConnectionException):  # closed since: its part of the statement is done
                cursor.interrupt()

    @property
    def native(self) -> duckdb.DuckDBPyConnection:
        """DuckDB's own connection underneath.

        Raises:
            ModelError: It was opened by the process that this one was forked from.
        """
        return self._native

    @property
    def _native(self) -> duckdb.DuckDBPyConnection:
        _require_own_process(self._process)
        return self._connection

    def catalog(self) -> Catalog:
        """What is stored in the current database."""
        return Catalog(self._native, self._where()[0])

    def close(self) -> None:
        """Close; the database itself closes with the last connection to it."""
        self._connection.close()
        self._release()

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        if name.startswith("_"):
            raise AttributeError(name)
        if self._shown is not None and name in RESULTS:
            return getattr(self._shown, name)
        return getattr(self._native, name)

    def _perform(self, _statement: Statement, _parameters: object) -> tuple[Statement, str, Any]:
        """Do what a statement of ours says. Returns it once it was ready, and the query that shows its result."""
        _statement, _where = self._ready(_statement), self._where()
        _rows = self._rows(_statement, _parameters)
        return _statement, *self._run(_statement, _parameters, _where, _rows)

    def _ready(self, statement: Statement) -> Statement:
        """A statement once it may run; a result that nobody has fetched ends here."""
        if type(statement) in WRITES:
            self._refuse_in_transaction(WRITES[type(statement)])
        if isinstance(statement, CreateModel) and statement.if_not_exists and statement.name in self.catalog().models():
            return DescribeModel(statement.name)
        if isinstance(statement, EvaluateModel) and statement.query is not None:
            self._refuse_in_transaction("EVALUATE MODEL ... ON")
        if isinstance(statement, CreateModel | RetrainModel):
            self._require_possible(statement)
        if isinstance(statement, RetrainModel):  # whatever is promoted meanwhile: one version's query and its options
            statement = replace(statement, version=self.catalog().version(statement.name).version)
        return statement

    def _require_possible(self, statement: CreateModel | RetrainModel) -> None:
        """Refuse a name that is taken and an option that is wrong before a query runs or a training begins."""
        with self._workplace(*self._where()) as place:
            store, name = Catalog(place.cursor, place.database), statement.name
            values, query, expected = _asked(place, store, statement)
            _lifecycle.require_expected(place.cursor, store, name, expected)
            if expected.again is not None:
                _require_same_schema(store, expected.again, place.schema)
            if query is None:
                _options.make(BehaviorOptions, values)
            else:
                _options.require_known(QueryOptions, values)
                _late("pipeline").require_learnable(place, name, values, expected)

    def _run(self, statement: Statement, parameters: object, where: tuple[str, str], rows: Any) -> tuple[str, Any]:  # noqa: ANN401
        """Do what a statement of ours says. Returns the query, with parameters, that shows its result."""
        if isinstance(statement, ShowModels | DescribeModel):
            with self._root.cursor() as cursor:
                return _show(Catalog(cursor, where[0]), statement)
        unread = rows or nullcontext()  # DuckDB runs nothing else beside rows that are not read to their end
        with unread, self._workplace(*where) as place:
            if isinstance(statement, ExplainModel) and statement.query is not None:
                return self._explanation(place, statement), parameters
            return self._result(place, statement, rows)

    def _result(self, place: Workplace, statement: Statement, rows: Any) -> Query:  # noqa: ANN401
        match statement:
            case CreateModel() | BacktestModel() | ImportModel():
                return _queries.text(f"catalog/{RECORDS[type(statement)]}"), [
                    _version(place, statement, rows).version_id
                ]
            case RetrainModel():
                found = _version(place, statement, rows)
                return _queries.text("catalog/retrained"), [found.version_id, found.version == statement.version]
            case EvaluateModel(name, number, query) if query is not None:
                return _values(EVALUATION, _late("inquiry").evaluate(place, name, number, rows))
            case ExportModel(name, number, path, texts):
                keeps_rows = _options.only_flag("rows", _constants.of(place.cursor, texts), default=True)
                written = _late("archive").write(place, name, number, path, keeps_rows=keeps_rows)
                return _queries.text("catalog/exported"), [name, path, written.size, written.rows]
            case EvaluateModel(name, number) | ExplainModel(name, number):
                return _stored(Catalog(place.cursor, place.database), statement, name, number)
        return _alter(place, statement)

    def _explanation(self, place: Workplace, statement: ExplainModel) -> str:
        self._require_reading(str(statement.query))
        store = Catalog(place.cursor, place.database)
        version = store.version(statement.name, statement.version)
        text: str = _late("inquiry").explanation(store, version, statement.query)
        return text

    def _rows(self, _statement: Statement, _parameters: object) -> Any:  # noqa: ANN401
        """A reader of the rows of a statement's query, in Arrow: the caller's parameters and Python variables count."""
        _query = self._query_of(_statement)
        if _query is None:
            return None
        _kinds = {each.type for each in duckdb.extract_statements(_query)}
        if not _kinds <= {duckdb.StatementType.SELECT, duckdb.StatementType.MULTI}:  # MULTI: PIVOT
            raise StatementError(f"One SELECT is expected, not: {_query}")
        self._require_reading(_query)
        try:
            _relation = self._native.sql(_query, params=_parameters)
        except duckdb.Error as _error:
            if isinstance(_statement, RetrainModel):
                raise ModelError(
                    f"The query of model '{_statement.name}' does not run again: {first_line(_error)}. "
                    f"CREATE OR REPLACE MODEL {_statement.name} ... AS query gives it another."
                ) from _error
            raise
        if _relation is None:
            raise StatementError(f"A query with rows is expected, not: {_query}")
        if isinstance(_statement, CreateModel | RetrainModel):
            with self._workplace(*self._where()) as _place:
                _values, *_ = _asked(_place, Catalog(_place.cursor, _place.database), _statement)
            _late("tabular").require_label(_relation.columns, _values.get("label"))
        return _relation.to_arrow_reader(BATCH)

    def _require_reading(self, query: str) -> None:
        with self._root.cursor() as cursor:
            if _queries.writes(cursor, query):
                raise StatementError(f"A query that only reads is expected, not: {query}")

    def _query_of(self, statement: Statement) -> str | None:
        if isinstance(statement, RetrainModel):
            return self.catalog().version(statement.name, statement.version).query
        return statement.query if isinstance(statement, CreateModel | EvaluateModel) else None

    @contextmanager
    def _workplace(self, database: str, schema: str) -> Iterator[Workplace]:
        with self._root.cursor() as cursor:
            cursor.execute(f"USE {identifier(database)}; {_queries.text('catalog/session')}").fetchall()
            self._cursors.append(cursor)
            try:
                _interruption.check()
                yield Workplace(cursor, database, self._registry, on_stderr, schema)
            finally:
                self._cursors.remove(cursor)

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """A script that `interrupt` ends, however it then fails; one that came while nothing ran ends nothing."""
        self._asked_to_stop.clear()
        try:
            with _interruption.heeding(self._asked_to_stop):
                yield
        except duckdb.InterruptException:
            raise
        except Exception as error:
            if not self._asked_to_stop.is_set():
                raise
            raise duckdb.InterruptException("INTERRUPT Error: Interrupted!") from error

    def _where(self) -> tuple[str, str]:
        """The current database and schema."""
        database, schema = self._native.execute("SELECT current_database(), current_schema()").fetchall()[0]
        return str(database), str(schema)

    @contextmanager
    def _advised(self, _text: str) -> Iterator[None]:
        """Say how the functions of a model are called where an error of DuckDB's does not."""
        if self._may_hide:  # not before: the result of the last statement may have been fetched until now
            self._may_hide = False
            self._warn_of_hidden()
        try:
            yield
        except duckdb.Error as error:
            advised = self._advice(error, _text)
            if advised is None:
                raise
            raise type(error)(plain(advised)) from error

    def _advice(self, error: duckdb.Error, text: str) -> str | None:
        with suppress(duckdb.Error, SqlmlError), self._workplace(*self._where()) as place:
            return _advice.of(error, text, Catalog(place.cursor, place.database))
        return None

    def _warn_of_hidden(self) -> None:
        """Say once of each macro that it is found before a function of DuckDB's own, where the session looks."""
        path = "string_split(current_setting('search_path'), ',')"
        places = "[f.schema_name, f.database_name || '.' || f.schema_name]"
        is_here = "f.database_name = current_database() AND f.schema_name IN ('main', current_schema())"
        is_found = f"(f.database_name = 'temp' OR ({is_here}) OR list_has_any({path}, {places}))"
        query = _queries.text("catalog/shadows", is_found=is_found)
        try:
            found = {str(name) for (name,) in self._native.execute(query).fetchall()}
            has_models = bool(self.catalog().models())
        except (duckdb.Error, SqlmlError):  # a transaction that failed, a schema ml that is not ours
            return
        self._hidden, new = found, sorted(found - self._hidden)
        if new and has_models:
            told = (
                f"The macro {new[0]} has the name of a function of DuckDB's own, which the SQL of models may call: "
                "while it is found, their features and scores may be other numbers. Choose another name."
            )
            warnings.warn(plain(told), stacklevel=6)

    def _refuse_in_transaction(self, what: str) -> None:
        ids = {self._native.execute("SELECT txid_current()").fetchall()[0] for _ in range(2)}
        if len(ids) == 1:  # outside of a transaction each statement has its own
            raise ModelError(f"{what} is a transaction of its own: COMMIT or ROLLBACK yours first.")


def _version(place: Workplace, statement: Statement, rows: Any) -> Version:  # noqa: ANN401
    """The version that a statement makes, or tells of."""
    version: Version
    match statement:
        case CreateModel():
            version = _create(place, statement, rows)
        case RetrainModel(name, texts, number):
            recipe = Catalog(place.cursor, place.database).version(name, number)
            version = _late("pipeline").retrain(place, recipe, _constants.of(place.cursor, texts), rows)
        case ImportModel(name, path, is_replace):
            version = _late("archive").read(place, name, path, Expected(may_exist=is_replace))
        case BacktestModel(name, start, end, every):
            parts = (("FROM", start), ("TO", end), ("EVERY", every))
            moments = [_constants.moment(place.cursor, word, text) for word, text in parts]
            version = _late("pipeline").backtest(place, name, *moments)
    return version


def _asked(
    place: Workplace, store: Catalog, statement: CreateModel | RetrainModel
) -> tuple[dict[str, object], str | None, Expected]:
    """The options of the model that a statement makes, its query, and what is expected of its name."""
    values = _constants.of(place.cursor, statement.options)
    if isinstance(statement, CreateModel):
        return values, statement.query, Expected(may_exist=statement.is_replace or statement.if_not_exists)
    _options.flag("gate", values.pop("gate", False))
    version = store.version(statement.name)
    return _late("pipeline").recipe_of(version, values), version.query, Expected(again=version)


def _require_same_schema(store: Catalog, version: Version, schema: str) -> None:
    """The names in the query of a version are those of the schema that was current when it was written."""
    written = store.fingerprint(version.version_id).get("schema", schema)
    if version.query is not None and written != schema:
        raise ModelError(
            f"The query of model '{version.model}' was written in schema {written}, and the current one is {schema}: "
            f"it may name other tables here. USE {identifier(written)} first."
        )


def _streams(statement: Statement) -> bool:
    """Whether the result of a statement of ours is as large as a query of the user's."""
    return isinstance(statement, ExplainModel) and statement.query is not None


def _create(place: Workplace, statement: CreateModel, rows: Any) -> Version:  # noqa: ANN401
    name, values = statement.name, _constants.of(place.cursor, statement.options)
    expected = Expected(may_exist=statement.is_replace)
    made: Version
    try:
        if statement.query is None:
            made = _late("pipeline").create_behavior_model(place, name, values, expected)
        else:
            made = _late("pipeline").create_query_model(place, name, values, statement.query, rows, expected)
    except ExistsError:  # made meanwhile
        if not statement.if_not_exists:
            raise
        made = Catalog(place.cursor, place.database).version(name)
    return made


def _show(store: Catalog, statement: ShowModels | DescribeModel) -> Query:
    if isinstance(statement, DescribeModel):
        return _queries.text("catalog/report"), [store.version(statement.name, statement.version).version_id]
    return _queries.text(f"catalog/show_models{'' if store.schema_version else '_empty'}"), [statement.pattern]


def _stored(store: Catalog, statement: Statement, name: str, number: int | None) -> Query:
    version = store.version(name, number)
    if isinstance(statement, EvaluateModel):
        return _queries.text("catalog/evaluation"), [version.version_id, version.method]
    store.require_present_schema()
    return _queries.text("catalog/explain", report=_queries.text("catalog/report")), [version.version_id]


def _alter(place: Workplace, statement: Statement) -> Query:
    match statement:
        case DropModel(name, if_exists, number):
            _lifecycle.drop(place, name, number, if_exists=if_exists)
            return "SELECT true AS success", []
        case PromoteVersion(name, number):
            version = _lifecycle.rollback(place, name) if number is None else _lifecycle.promote(place, name, number)
            return "SELECT ? AS model, ? AS promoted_version", [name, version.version]
        case RenameModel(name, new_name):
            _lifecycle.rename(place, name, new_name)
            return "SELECT ? AS model, ? AS renamed_from", [new_name, name]
    raise AssertionError(statement)


def _values(columns: Mapping[str, str], rows: Sequence[Sequence[object]]) -> Query:
    """Rows as a query with parameters."""
    row = f"({', '.join(f'?::{kind}' for kind in columns.values())})"
    listed = ", ".join([row] * len(rows))
    return f"FROM (VALUES {listed}) t({', '.join(columns)})", [value for each in rows for value in each]


def _statements(script: str) -> Iterator[Statement]:
    """One after the other, as long as nobody interrupts."""
    for statement in parse(script):
        _interruption.check()
        yield statement


def _late(module: str) -> Any:  # noqa: ANN401
    """A module that loads JAX, which is done when a model is made or called, not before."""
    return import_module(f"sqlml.{module}")


def _load(cursor: duckdb.DuckDBPyConnection, version: Version, asked: str) -> Forward:
    forward: Forward = _late("pipeline").load_forward(cursor, version, asked)
    return forward


def _register_all(native: duckdb.DuckDBPyConnection, registry: Registry) -> None:
    """Register the versions of every attached database."""
    with native.cursor() as cursor:
        query = """SELECT database_name, readonly FROM duckdb_databases() WHERE NOT internal
                   ORDER BY database_name <> current_database()"""
        holders: dict[str, str] = {}
        for database, is_read_only in cursor.execute(query).fetchall():
            if database.lower() in ("ml", "behavior"):
                raise CatalogError(f"A database named {database} hides the schema of that name: rename the file.")
            store = Catalog(cursor, database)
            if not is_read_only:
                cursor.execute(f"USE {identifier(database)}").fetchall()
                store.upgrade()
            versions = store.versions(promoted=False)
            if versions:
                _lifecycle.require_unhidden(cursor, database)
            for version in versions:
                holder = holders.setdefault(version.version_id, database)
                if holder != database:
                    _warn_of_copy(version, holder)
                    continue
                try:
                    registry.register(version)
                except ModelError as error:
                    warnings.warn(plain(f"Model '{version.model}' cannot be called. {error}"), stacklevel=4)


def _warn_of_copy(version: Version, holder: str) -> None:
    warnings.warn(
        plain(
            f"The databases {holder} and {version.database} hold the same version {version.version} of model "
            f"'{version.model}', as copies do. A function of either reads the tables of the current database: "
            "USE the one that is meant first."
        ),
        stacklevel=5,
    )


def _require_own_process(process: int) -> None:
    if os.getpid() != process:
        raise ModelError(
            "This file was opened before the process was forked. DuckDB's threads did not come along, and two "
            "processes that write one file would damage it. Start the new process by spawn "
            "(multiprocessing.get_context('spawn')), or connect after the fork alone."
        )


def _key(path: str | Path) -> str:
    """Each in-memory database is its own; a file is one, however its path is written."""
    if str(path) in (":memory:", ""):
        return f":memory:{secrets.token_hex(8)}"
    return str(Path(path).resolve())


def _release(key: str) -> None:
    with _lock:
        root = _roots[key]
        root.users -= 1
        if not root.users:
            del _roots[key]
            root.native.close()
