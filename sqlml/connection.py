"""`connect()` and `register()`: a DuckDB connection that also understands sqlml's statements."""

from __future__ import annotations

import secrets
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb

from sqlml import lifecycle, queries
from sqlml.catalog import Catalog, Version
from sqlml.errors import CatalogError, ModelError, OptionError
from sqlml.lifecycle import Workplace
from sqlml.progress import on_stderr
from sqlml.queries import identifier
from sqlml.registry import Registry
from sqlml.statements import (
    CreateModel,
    DescribeModel,
    DropModel,
    Foreign,
    PromoteVersion,
    RenameModel,
    ShowModels,
    Statement,
    parse,
)
from sqlml.udf import Forward


@dataclass
class _Root:
    """The connection that owns the functions of one open database, shared by all connections of this process."""

    native: duckdb.DuckDBPyConnection
    registry: Registry
    users: int = 0


_roots: dict[str, _Root] = {}
_lock = threading.RLock()
WHAT = {CreateModel: "CREATE MODEL", DropModel: "DROP MODEL", PromoteVersion: "ALTER MODEL", RenameModel: "ALTER MODEL"}


def connect(path: str | Path = ":memory:", read_only: bool = False, **config: Any) -> Connection:  # noqa: ANN401
    """Open a database as `duckdb.connect` does; the models stored in it can be called at once.

    Args:
        path: A DuckDB file, made if it is missing, or `:memory:`.
        read_only: Open an existing file for reading; several processes may.
        **config: DuckDB's settings, e.g. `threads=2`.

    Raises:
        CatalogError: The file's schema `ml` is not ours, or from a newer sqlml.
        duckdb.Error: As DuckDB's own.
    """
    with _lock:
        key = _key(path)
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
    registry = Registry(connection, _load)
    _register_all(connection, registry)
    return Connection(connection.cursor(), connection, registry)


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
        self._native, self._root, self._registry, self._parent = native, root, registry, parent
        self._release = weakref.finalize(self, release)
        native.execute("SET SESSION python_scan_all_frames = true").fetchall()  # the caller's variables lie above ours

    def execute(self, query: object, parameters: object = None) -> Connection:
        """Run a script; the result of its last statement can be fetched."""
        if not isinstance(query, str):
            self._native.execute(query, parameters)  # type: ignore[arg-type]
            return self
        for statement in parse(query):
            if isinstance(statement, Foreign):
                self._native.execute(statement.text, parameters)
            else:
                self._native.execute(*self._run(statement, parameters))
        return self

    def sql(self, query: object, **options: Any) -> duckdb.DuckDBPyRelation | None:  # noqa: ANN401
        """As DuckDB's `sql`: a relation of the last statement."""
        if not isinstance(query, str):
            return self._native.sql(query, **options)  # type: ignore[arg-type]
        relation = None
        for statement in parse(query):
            if isinstance(statement, Foreign):
                relation = self._native.sql(statement.text, **options)
            else:
                text, values = self._run(statement, options.get("params"))
                relation = self._native.sql(text, params=values)
        return relation

    query = sql

    def cursor(self) -> Connection:
        """Another connection to the same database, with its own transaction."""
        return Connection(self._native.cursor(), self._root, self._registry, parent=self)

    duplicate = cursor

    def attach(self, path: str | Path, alias: str | None = None, *, read_only: bool = False) -> Connection:
        """Attach a further database file; after `USE alias` its models can be called."""
        name = alias or Path(path).stem
        options = " (READ_ONLY)" if read_only else ""
        self._native.execute(f"ATTACH {queries.literal(str(path))} AS {identifier(name)}{options}").fetchall()
        _register_all(self._root, self._registry)
        return self

    @property
    def native(self) -> duckdb.DuckDBPyConnection:
        """DuckDB's own connection underneath."""
        return self._native

    def catalog(self) -> Catalog:
        """What is stored in the current database."""
        return Catalog(self._native, self._database())

    def close(self) -> None:
        """Close; the database itself closes with the last connection to it."""
        self._native.close()
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
        return getattr(self._native, name)

    def _run(self, statement: Statement, parameters: object) -> tuple[str, list[object]]:
        """Do what a statement of ours says. Returns the query, with parameters, that shows its result."""
        database = self._database()
        if isinstance(statement, ShowModels | DescribeModel):
            with self._root.cursor() as cursor:
                return _show(Catalog(cursor, database), statement)
        self._refuse_in_transaction(WHAT[type(statement)])
        with self._workplace(database) as place:
            if isinstance(statement, CreateModel):
                return queries.text("catalog/report"), [self._create(place, statement, parameters).version_id]
            return _change(place, statement)

    def _create(self, place: Workplace, statement: CreateModel, parameters: object) -> Version:
        name, is_replace = statement.name, statement.is_replace
        store = Catalog(place.cursor, place.database)
        if statement.if_not_exists and name in store.models():
            return store.version(name)
        values = {key: _constant(place.cursor, key, text) for key, text in statement.options.items()}
        made: Version
        if statement.query is None:
            made = _pipeline().create_behavior_model(place, name, values, is_replace=is_replace)
        else:
            rows = self._native.sql(statement.query, params=parameters).to_arrow_table()
            made = _pipeline().create_query_model(place, name, values, statement.query, rows, is_replace=is_replace)
        return made

    @contextmanager
    def _workplace(self, database: str) -> Iterator[Workplace]:
        with self._root.cursor() as cursor:
            cursor.execute(f"USE {identifier(database)}").fetchall()
            yield Workplace(cursor, database, self._registry, on_stderr)

    def _database(self) -> str:
        return str(self._native.execute("SELECT current_database()").fetchall()[0][0])

    def _refuse_in_transaction(self, what: str) -> None:
        try:
            self._native.begin()
        except duckdb.TransactionException:
            raise ModelError(f"{what} is a transaction of its own: COMMIT or ROLLBACK yours first.") from None
        self._native.rollback()


def _show(store: Catalog, statement: ShowModels | DescribeModel) -> tuple[str, list[object]]:
    if isinstance(statement, DescribeModel):
        return queries.text("catalog/report"), [store.version(statement.name, statement.version).version_id]
    return queries.text(f"catalog/show_models{'' if store.schema_version else '_empty'}"), [statement.pattern]


def _change(place: Workplace, statement: Statement) -> tuple[str, list[object]]:
    match statement:
        case DropModel(name, if_exists, number):
            lifecycle.drop(place, name, number, if_exists=if_exists)
            return "SELECT true AS success", []
        case PromoteVersion(name, number):
            version = lifecycle.rollback(place, name) if number is None else lifecycle.promote(place, name, number)
            return "SELECT ? AS model, ? AS promoted_version", [name, version.version]
        case RenameModel(name, new_name):
            lifecycle.rename(place, name, new_name)
            return "SELECT ? AS model, ? AS renamed_from", [new_name, name]
    raise AssertionError(statement)


def _pipeline() -> Any:  # noqa: ANN401
    """JAX is loaded when a model is made or called, not before."""
    return import_module("sqlml.pipeline")


def _load(cursor: duckdb.DuckDBPyConnection, version: Version, asked: str) -> Forward:
    forward: Forward = _pipeline().load_forward(cursor, version, asked)
    return forward


def _register_all(native: duckdb.DuckDBPyConnection, registry: Registry) -> None:
    """Register the promoted versions of every attached database."""
    with native.cursor() as cursor:
        databases = cursor.execute("SELECT database_name FROM duckdb_databases() WHERE NOT internal").fetchall()
        for (database,) in databases:
            if database.lower() in ("ml", "behavior"):
                raise CatalogError(f"A database named {database} hides the schema of that name: rename the file.")
            for version in Catalog(cursor, database).versions():
                try:
                    registry.register(version)
                except ModelError as error:
                    warnings.warn(f"Model '{version.model}' cannot be called. {error}", stacklevel=4)


def _constant(cursor: duckdb.DuckDBPyConnection, key: str, text: str) -> object:
    """The value of an option's SQL expression; intervals and times in DuckDB's own text form."""
    query = f"SELECT v, v::VARCHAR, typeof(v) FROM (SELECT ({text}\n) AS v)"
    try:
        value, shown, kind = cursor.execute(query).fetchall()[0]
    except duckdb.Error as error:
        reason = str(error).partition("\n")[0]
        raise OptionError(f"Option {key} = {text} is not a constant that DuckDB can read: {reason}") from error
    return shown if kind in ("INTERVAL", "DATE") or kind.startswith("TIMESTAMP") else value


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
