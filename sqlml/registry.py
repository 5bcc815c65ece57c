"""Finds the kinds of function (entry points) and registers the functions of stored versions with DuckDB."""

from __future__ import annotations

import importlib
import pkgutil
import weakref
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, cast

import duckdb
from duckdb.func import FunctionNullHandling, PythonUDFType

from sqlml.catalog import Version
from sqlml.errors import ModelError, did_you_mean

if TYPE_CHECKING:
    from sqlml.udf import Answer, Answerer, Forward, Scorer, Udf

GROUP = "sqlml.udfs"
Loader = Callable[[duckdb.DuckDBPyConnection, Version, str], "Forward | Answer"]


@cache
def kinds() -> dict[str, Udf]:
    """Every kind of function installed, ours and third parties', by name."""
    found: dict[str, Udf] = {}
    for point in entry_points(group=GROUP):
        package = importlib.import_module(point.value)
        for module in pkgutil.iter_modules(package.__path__):
            udf: Udf = importlib.import_module(f"{point.value}.{module.name}").UDF
            found[udf.kind] = udf
    return found


def kind(name: str) -> Udf:
    """The kind of function with this name.

    Raises:
        ModelError: It is not installed.
    """
    if name not in kinds():
        raise ModelError(f"There is no function kind '{name}' installed." + did_you_mean(name, kinds(), "kinds"))
    return kinds()[name]


def kinds_of(version: Version) -> list[str]:
    """The kinds of function of a version, with those that they need.

    Raises:
        ModelError: One is not installed.
    """
    return [each for name in version.function_kinds for each in (name, *kind(name).needs)]


def udf_name(udf_kind: str, version_id: str) -> str:
    """The internal name: a version's id is never used again, so a stale function cannot be met."""
    return f"__sqlml_{udf_kind}_{version_id}"


_alive: dict[str, Scorer | Answerer] = {}
"""Functions belong to the database instance, which may outlive their connection: calling a freed one crashes."""


class Registry:
    """Registers functions on the root connection of a database, which must outlive every cursor that calls them."""

    def __init__(self, root: duckdb.DuckDBPyConnection, loader: Loader) -> None:
        self._root, self._loader = root, loader
        self._scorers: dict[str, Scorer | Answerer] = {}
        self._databases: dict[str, str] = {}

    def register(self, version: Version) -> None:
        """Make the version's functions callable; where they are already, only its database may have another name."""
        self._databases[version.version_id] = version.database
        for name in kinds_of(version):
            self._register(version, kind(name))

    def remove(self, version_id: str) -> None:
        """Forget the functions of a version that was never committed.

        Those of a version that was dropped stay: a query that runs, or an open transaction, may still call them.
        """
        for name in [name for name in self._scorers if name.endswith(version_id)]:
            del self._scorers[name]
            self._root.remove_function(name)
            _alive.pop(name, None)

    def _register(self, version: Version, udf: Udf) -> None:
        name = udf_name(udf.kind, version.version_id)
        if name in self._scorers:
            return
        root = weakref.ref(self._root)

        def load() -> Forward | Answer:
            try:
                with cast("duckdb.DuckDBPyConnection", root()).cursor() as cursor:
                    database = self._databases[version.version_id]
                    return self._loader(cursor, replace(version, database=database), udf.asks)
            except (AttributeError, duckdb.ConnectionException) as error:
                raise ModelError(
                    f"The connection that registered model '{version.model}' was closed before the model's first use. "
                    "Keep it open, or call sqlml.register() with the connection that stays."
                ) from error

        scorer = udf.side(load)
        struct = duckdb.struct_type(version.encoder.types)
        types: list[Any] = [duckdb.sqltype(each) for each in udf.takes] or [struct]
        try:
            self._root.create_function(
                name,
                scorer,
                types,
                duckdb.sqltype(udf.returns),
                type=PythonUDFType.ARROW,
                null_handling=FunctionNullHandling.SPECIAL,
            )
        except duckdb.CatalogException as error:
            if "already exists" in str(error):  # another connection to the same database made it
                return
            raise
        self._scorers[name] = _alive[name] = scorer
