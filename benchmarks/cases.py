"""Tests in time: a data set, when its future begins, and how far ahead is asked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import duckdb
import numpy as np
from numpy.typing import NDArray

from sqlml import behavior


@dataclass(frozen=True)
class Case:
    """A data set and what is asked of it; `as_of` None leaves exactly one horizon of the data for the test."""

    name: str
    data: str
    horizon: int
    as_of: datetime | None = None
    share: float | None = None


def moment(con: duckdb.DuckDBPyConnection, case: Case) -> datetime:
    """The last moment that anyone may know."""
    known = behavior.facts(con)
    if case.as_of:
        return case.as_of
    if case.share:
        return known.first_event + case.share * (known.newest_event - known.first_event)
    last = known.newest_event.replace(hour=23, minute=59, second=59, microsecond=0)
    return last - timedelta(days=case.horizon)


def by_customer(con: duckdb.DuckDBPyConnection, table: str) -> NDArray[np.int64]:
    """An order of the examples in `table`: those of a customer together, customers at random."""
    query = f"SELECT hash(customer_id) AS place FROM {table} ORDER BY as_of, customer_id"
    return np.argsort(con.execute(query).fetchnumpy()["place"], kind="stable")
