"""What becomes of a model after its birth: promoted, rolled back, renamed, dropped. Nothing here loads JAX."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

import duckdb

from sqlml import queries
from sqlml.catalog import ROLLED_BACK, Catalog, Version
from sqlml.errors import ExistsError, ModelError, SqlmlError, UnknownError
from sqlml.registry import Registry

if TYPE_CHECKING:
    from sqlml.training import Stage


_PLAIN = re.compile(r"[A-Za-z_]\w*")


class Progress(Protocol):
    """Shows what a training is doing, e.g. as a progress bar."""

    def __call__(self, title: str) -> AbstractContextManager[Stage]:
        """Open it under a title."""
        ...


@dataclass(frozen=True)
class Workplace:
    """Where a statement runs: a cursor of its own, the database it writes to, the owner of its functions.

    `schema` is where the query of the statement finds its tables first.
    """

    cursor: duckdb.DuckDBPyConnection
    database: str
    registry: Registry
    progress: Progress
    schema: str = "main"


@dataclass(frozen=True)
class Expected:
    """What has to hold of a model's name when a statement begins, and still when it writes.

    Attributes:
        may_exist: Whether a model of that name may be there, as CREATE OR REPLACE says.
        again: The version that RETRAIN trains again: its model must still have it.
        is_gated: Whether the new version was compared with that one, which must then still be the promoted one.
    """

    may_exist: bool = False
    again: Version | None = None
    is_gated: bool = False

    @property
    def rival(self) -> Version | None:
        """The version that a gate compares with."""
        return self.again if self.is_gated else None

    def require(self, store: Catalog, name: str) -> None:
        """Check it.

        Raises:
            ExistsError: The model exists, and must not.
            ModelError: The version that is trained again was dropped, or its model renamed or, with a gate, changed.
        """
        if self.again is None:
            if not self.may_exist and name in store.models():
                raise ExistsError(
                    f"There is a model '{name}' already. OR REPLACE adds a version to it; DROP MODEL removes it."
                )
            return
        now = store.version_with(self.again.version_id)
        if now.model != name:
            raise ModelError(
                f"Model '{name}' was renamed to '{now.model}' meanwhile. Nothing was written: run it again."
            )
        promoted = store.version(name)
        if self.is_gated and promoted.version_id != now.version_id:
            raise ModelError(
                f"Version {promoted.version} of model '{name}' was promoted meanwhile, and the gate compared with "
                f"version {now.version}. Nothing was written: run it again."
            )


@contextmanager
def storing(place: Workplace, store: Catalog, version: Version) -> Iterator[None]:
    """Make the functions of a new version, then catalogue and macros in one transaction; on failure neither is left.

    An interrupt may be told of a commit that has happened: what is stored decides.
    """
    try:
        place.registry.register(version)
        with store.transaction():
            yield
    except BaseException:
        with suppress(duckdb.Error, SqlmlError), place.cursor.cursor() as other:
            found = {each.version_id for each in Catalog(other, place.database).versions(promoted=False)}
            if version.version_id not in found:
                place.registry.remove(version.version_id)
        raise


def promote(place: Workplace, name: str, number: int) -> Version:
    """Let the functions of a model be those of one of its versions, in one transaction.

    Raises:
        ModelError: There is no such model or version, or a function of the user's has a name it needs.
    """
    store = Catalog(place.cursor, place.database)
    return _promote(place, store, partial(store.version, name, number), "promoted")


def rollback(place: Workplace, name: str) -> Version:
    """Go back to the version that was promoted before the present one.

    Raises:
        ModelError: There is no such model, or no such version.
    """
    store = Catalog(place.cursor, place.database)
    return _promote(place, store, partial(store.version_before, name), ROLLED_BACK)


def rename(place: Workplace, name: str, new_name: str) -> Version:
    """Give a model and its functions another name.

    Raises:
        ModelError: There is no such model, or a function has the new name.
    """
    require_writable(place.cursor)
    store = Catalog(place.cursor, place.database)
    with store.transaction():
        version = store.version(name)
        wanted = [new_name + function.removeprefix(name) for function in store.function_names(version)]
        require_free(place.cursor, store, new_name, wanted, Expected())
        store.rename(version, new_name)
    return replace(version, model=new_name)


def drop(place: Workplace, name: str, number: int | None, *, if_exists: bool) -> None:
    """Remove a model with all its versions and functions, or one version that is not promoted, in one transaction.

    Raises:
        ModelError: There is no such model or version, or the version is the promoted one.
    """
    require_writable(place.cursor)
    store = Catalog(place.cursor, place.database)
    with suppress(UnknownError) if if_exists else nullcontext(), store.transaction():
        if number is None:
            store.require(name)
            store.delete(name)
        else:
            store.delete_version(_beside(store, name, number).version_id)


def _beside(store: Catalog, name: str, number: int) -> Version:
    """A version that is not the promoted one."""
    version = store.version(name, number)
    if version == store.version(name):
        raise ModelError(
            f"Version {number} of model '{name}' is the promoted one. Promote another first "
            f"(ALTER MODEL {name} PROMOTE VERSION n), or DROP MODEL {name} with all its versions."
        )
    return version


def require_expected(cursor: duckdb.DuckDBPyConnection, store: Catalog, name: str, expected: Expected) -> None:
    """Check that models may be changed, and that what is expected of this name holds.

    Raises:
        ModelError: The database is read-only, a macro hides a function of DuckDB's, or it does not hold.
    """
    require_writable(cursor)
    require_unhidden(cursor, store.database)
    expected.require(store, name)


def require_free(
    cursor: duckdb.DuckDBPyConnection, store: Catalog, name: str, wanted: Sequence[str], expected: Expected
) -> None:
    """Check every name that a model would take, before anything is done.

    Raises:
        ModelError: The database is read-only, the model exists, or a function of that name does.
    """
    require_expected(cursor, store, name, expected)
    _require_callable(cursor, name, wanted)
    owned = store.owned_functions(name)
    for function in wanted:
        query = """SELECT database_name FROM duckdb_functions() WHERE lower(function_name) = lower(?)
                   AND database_name IN (current_database(), 'system', 'temp')"""
        taken = cursor.execute(query, [function]).fetchall()
        if taken and function not in owned:
            owner = "a built-in function of DuckDB" if taken[0][0] == "system" else "a function or macro of yours"
            raise ModelError(
                f"Model '{name}' would make the functions {', '.join(wanted)}, but {function} is {owner}. "
                "Choose another model name."
            )


def require_unhidden(cursor: duckdb.DuckDBPyConnection, database: str) -> None:
    """Check that the functions which the SQL of models calls are DuckDB's own.

    Raises:
        ModelError: A macro of the user's has the name of one.
    """
    is_found = f"f.database_name = {queries.literal(database)} AND f.schema_name = 'main'"
    rows = cursor.execute(queries.text("catalog/shadows", is_found=is_found)).fetchall()
    if rows:
        macro = rows[0][0]
        raise ModelError(
            f"The macro {macro} has the name of a function of DuckDB's own and stands in its way: the features and "
            f"scores of models would be other numbers. Make it under another name, and DROP MACRO {macro} "
            "(with DuckDB alone, where sqlml does not open the file)."
        )


def _require_callable(cursor: duckdb.DuckDBPyConnection, name: str, wanted: Sequence[str]) -> None:
    """Check that a call of each function is read as one: `int(7)` and `date(7)` are not."""
    for function in filter(_PLAIN.fullmatch, wanted):
        parsed = json.loads(cursor.execute("SELECT json_serialize_sql(?)", [f"SELECT {function}(x)"]).fetchall()[0][0])
        called = not parsed["error"] and parsed["statements"][0]["node"]["select_list"][0]
        if not called or called.get("class") != "FUNCTION":
            raise ModelError(
                f"Model '{name}' would make the function {function}, but SQL reads {function}(...) as something else. "
                "Choose another model name."
            )


def require_writable(cursor: duckdb.DuckDBPyConnection) -> None:
    """Check that models of the current database can be changed.

    Raises:
        ModelError: It is opened read-only.
    """
    query = "SELECT readonly FROM duckdb_databases() WHERE database_name = current_database()"
    if cursor.execute(query).fetchall()[0][0]:
        raise ModelError("The database is opened read-only: its models cannot be changed.")


def _promote(place: Workplace, store: Catalog, find: Callable[[], Version], reason: str) -> Version:
    require_writable(place.cursor)
    with store.transaction():
        version = find()
        require_free(place.cursor, store, version.model, store.function_names(version), Expected(may_exist=True))
        place.registry.register(version)
        store.promote(version, reason)
    return version
