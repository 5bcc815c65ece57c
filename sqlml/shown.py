"""The result of a statement of sqlml as a connection tells of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb

if TYPE_CHECKING:
    import pandas as pd

VECTOR = 2048
"""Rows of one of DuckDB's vectors."""

RESULTS = {
    "description", "rowcount", "fetchone", "fetchmany", "fetchall", "fetchdf", "fetch_df", "fetch_df_chunk",
    "fetchnumpy", "df", "to_arrow_table", "to_arrow_reader", "torch", "tf", "pl",
}  # fmt: skip
"""What a connection tells of its last result."""


class Shown:
    """The result of a statement of ours: kept whole, so that the connection is free for another statement."""

    def __init__(self, relation: duckdb.DuckDBPyRelation) -> None:
        self._relation = relation.materialize()
        self._rows = self._relation.fetchall()
        self._next = 0

    def fetchone(self) -> tuple[Any, ...] | None:
        """The next row, None behind the last."""
        return next(iter(self.fetchmany()), None)

    def fetchmany(self, size: int = 1) -> list[tuple[Any, ...]]:
        """The next rows, as many as there are."""
        found = self._rows[self._next : self._next + size]
        self._next += len(found)
        return found

    def fetchall(self) -> list[tuple[Any, ...]]:
        """The rows that were not fetched yet."""
        return self.fetchmany(len(self._rows))

    def fetch_df_chunk(self, vectors_per_chunk: int = 1) -> pd.DataFrame:
        """The next rows as a DataFrame of pandas, empty behind the last."""
        start = self._next
        self.fetchmany(VECTOR * vectors_per_chunk)
        return self._relation.df().iloc[start : self._next]

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        if name == "rowcount":
            return -1
        return getattr(self._relation, {"fetch_df": "df"}.get(name, name))
