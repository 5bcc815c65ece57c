"""Machine learning inside DuckDB: the future of every customer, as a SQL function."""

from importlib.metadata import version

from sqlml.connection import Connection, connect, register
from sqlml.errors import SqlmlError

__all__ = ["Connection", "SqlmlError", "connect", "register"]
__version__ = version("sqlml")
