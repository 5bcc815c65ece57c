"""Files that users name: written whole or not at all, and never over a database."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from sqlml.errors import DataError

LOG = ".wal"
MARK = slice(8, 12)
"""The place of DuckDB's magic bytes in a file."""


@contextmanager
def whole(cursor: duckdb.DuckDBPyConnection, path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; what is written takes its place when the block ends well.

    Raises:
        DataError: There is no such folder, or `path` is that of a database.
    """
    if not path.parent.is_dir():
        raise DataError(f"There is no folder {path.parent} to write {path.name} to.")
    if path.is_dir():
        raise DataError(f"{path} is a folder: name a file.")
    if path.exists() and not path.is_file():  # a pipe, a terminal
        yield path
        return
    _require_no_database(cursor, path)
    _require_no_closed_database(path)
    place = path.resolve()
    partly = place.with_name(f"{place.name}.{secrets.token_hex(4)}")
    try:
        yield partly
        partly.replace(place)
    finally:
        partly.unlink(missing_ok=True)


def _require_no_database(cursor: duckdb.DuckDBPyConnection, path: Path) -> None:
    query = "SELECT path FROM duckdb_databases() WHERE path IS NOT NULL"
    with cursor.cursor() as own:
        databases = own.execute(query).fetchall()
    for (database,) in databases:
        for file in (Path(database), Path(f"{database}.wal")):
            if path.exists() and file.exists() and path.samefile(file):
                raise DataError(f"{path} belongs to the database itself: name another file.")


def _require_no_closed_database(path: Path) -> None:
    if path.suffix == LOG and path.with_suffix("").exists():
        raise DataError(f"{path} would be taken for the log of the database {path.stem}: name another file.")
    if path.is_file() and _is_database(path):
        raise DataError(f"{path} is a DuckDB database: move it away, or name another file.")


def require_database(path: Path) -> None:
    """Check that a file which is there is one that keeps what is written: DuckDB opens data files as views in memory.

    Raises:
        DataError: It is not.
    """
    if path.is_file() and path.stat().st_size and not _is_database(path):
        raise DataError(
            f"{path} is no DuckDB database, and keeps nothing that is written: name another file, e.g. shop.duckdb."
        )


def _is_database(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(MARK.stop)[MARK] == b"DUCK"
