"""Machine learning inside DuckDB: the future of every customer, as a SQL function."""

from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from sqlml.errors import SqlmlError

if TYPE_CHECKING:
    from sqlml.connection import Connection, connect, register

__all__ = ["Connection", "SqlmlError", "connect", "register"]
__version__ = version("sqlml")


def __getattr__(name: str) -> Any:  # noqa: ANN401
    """What is public, and the modules, at their first use: `sqlml --help` need not wait for them."""
    if name in __all__:
        return getattr(import_module("sqlml.connection"), name)
    if name.startswith("_") or find_spec(f"sqlml.{name}") is None:
        raise AttributeError(f"module 'sqlml' has no attribute '{name}'")
    return import_module(f"sqlml.{name}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
