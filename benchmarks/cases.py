"""Tests in time: a data set, when its future begins, and how far ahead is asked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import duckdb
import numpy as np
from numpy.typing import NDArray

from sqlml import behavior, cutoffs
from sqlml.options import BehaviorOptions


@dataclass(frozen=True)
class Case:
    """A data set and what is asked of it; `as_of` None leaves exactly one horizon of the data for the test."""

    name: str
    data: str
    horizon: int
    as_of: datetime | None = None
    share: float | None = None


@dataclass(frozen=True)
class Windows:
    """What a peer learns from: the time `length` after each of `moments`, newest first. Its answers are of a horizon.

    `lookback` is the history before the oldest moment; `suffix` is added to the name of the peer.
    """

    suffix: str
    moments: tuple[datetime, ...]
    length: timedelta
    lookback: timedelta
    horizon: timedelta

    @property
    def ratio(self) -> float:
        """How often the window goes into the horizon: amounts grow with it, activity by a steady hazard."""
        return self.horizon / self.length

    @property
    def shown(self) -> str:
        """For the tables."""
        return f"{len(self.moments)} x {cutoffs.days(self.length)}"


SHORT_PARTS = 3
"""Of data too short for a window of the horizon, the peers learn a third of it."""


def windows(con: duckdb.DuckDBPyConnection, as_of: datetime, horizon: timedelta) -> list[Windows]:
    """The newest window, all windows of its length that do not overlap, and all of half the horizon."""
    first, most = behavior.facts(con).first_event, BehaviorOptions().max_cutoffs
    is_short = cutoffs.plan(first, as_of, horizon, horizon, 1).is_short
    found = []
    for length, suffix in ((horizon / SHORT_PARTS if is_short else horizon, ""), (horizon / 2, ", half windows")):
        plan = cutoffs.plan(first, as_of, length, length, most)
        if not suffix:
            found.append(Windows("", plan.cutoffs[:1], plan.window, plan.cutoffs[0] - first, horizon))
        if suffix or len(plan.cutoffs) > 1:
            found.append(Windows(f"{suffix} + all", plan.cutoffs, plan.window, plan.lookback, horizon))
    return found


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
