"""The result of a statement of sqlml as a connection tells of it."""

from __future__ import annotations

from itertools import islice
from typing import Any

import duckdb

RESULTS = {
    "description", "rowcount", "fetchone", "fetchmany", "fetchall", "fetchdf", "fetch_df", "fetch_df_chunk",
    "fetchnumpy", "df", "to_arrow_table", "to_arrow_reader", "torch", "tf", "pl",
}  # fmt: skip
"""What a connection tells of its last result."""


class Shown:
    """The result of a statement of ours: kept whole, so that the connection is free for another statement."""

    def __init__(self, relation: duckdb.DuckDBPyRelation) -> None:
        self._relation = relation.materialize()
        self._rows = iter(self._relation.fetchall())

    def fetchone(self) -> tuple[Any, ...] | None:
        """The next row, None behind the last."""
        return next(self._rows, None)

    def fetchmany(self, size: int = 1) -> list[tuple[Any, ...]]:
        """The next rows, as many as there are."""
        return list(islice(self._rows, size))

    def fetchall(self) -> list[tuple[Any, ...]]:
        """The rows that were not fetched yet."""
        return list(self._rows)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        if name == "rowcount":
            return -1
        return getattr(self._relation, {"fetch_df": "df", "fetch_df_chunk": "df"}.get(name, name))
