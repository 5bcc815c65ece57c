"""Files that users name: written whole or not at all, and never over a database that is open."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from sqlml.errors import DataError


@contextmanager
def whole(cursor: duckdb.DuckDBPyConnection, path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; what is written takes its place when the block ends well.

    Raises:
        DataError: There is no such folder, or `path` is that of an open database.
    """
    if not path.parent.is_dir():
        raise DataError(f"There is no folder {path.parent} to write {path.name} to.")
    if path.is_dir():
        raise DataError(f"{path} is a folder: name a file.")
    if path.exists() and not path.is_file():  # a pipe, a terminal
        yield path
        return
    _require_no_database(cursor, path)
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
