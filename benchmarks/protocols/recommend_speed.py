"""Seconds of recommending ten items to everybody, with the lists written to a table: sqlml by SQL, implicit's ALS.

Amazon Beauty, 22,363 customers and 12,101 items. Both have what `recommend` measures the quality of; they take turns,
five repeats each after one to warm up. `ratio` is sqlml's seconds to ALS's, of the medians; 1 or less is the goal.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

import sqlml
from benchmarks import timing
from benchmarks.data import FOLDER
from benchmarks.peers.recommenders import libraries
from benchmarks.protocols import recommend
from benchmarks.report import Row
from sqlml.queries import literal

MOST = 10
METHODS = ("rules", "directed", "auto")
PEER = "implicit ALS"
GOAL = "ratio <= 1"


def run(*, is_quick: bool) -> list[Row]:
    """A comparison for each method: two rows."""
    case = recommend.QUICK_CASES[0] if is_quick else recommend.CASES[0]
    path = Path(os.environ.get(FOLDER, "")) / case.file
    if not is_quick and not (FOLDER in os.environ and path.exists()):
        return []
    lines = case.lines.format(file=f"read_parquet({literal(str(path))})")
    rows: list[Row] = []
    with duckdb.connect() as native, threadpool_limits(1, user_api="blas"):  # as implicit asks for
        recommend.load(native, case, lines)
        theirs = _theirs(native)
        for method in METHODS[:1] if is_quick else METHODS:
            with sqlml.connect() as con:
                recommend.load(con.native, case, lines)
                recommend.write_events(con, "past")
                con.execute(f"CREATE MODEL recommend OPTIONS (task = 'recommend', method = '{method}')").fetchall()
                ours = partial(_ours, con)
                ours()
                theirs()
                found = timing.turns(ours, theirs)
            mine, other = timing.compared(found)
            rows += [{"side": f"sqlml, {method}", **mine, "goal": GOAL}, {"side": PEER, **other}]
    return rows


def _ours(con: sqlml.Connection) -> None:
    con.execute(f"CREATE OR REPLACE TABLE lists AS FROM recommend_at('asked', {MOST})").fetchall()


def _theirs(con: duckdb.DuckDBPyConnection) -> Callable[[], None]:
    """Recommending to all by the recipe of ALS that does best on the last step of the training histories."""
    items = con.execute("SELECT DISTINCT item_id FROM past ORDER BY item_id").fetchnumpy()["item_id"]
    histories, customers = recommend.histories(con, "past", items)
    model, is_repeat = recommend.tuned(con, libraries.PEERS[PEER], items)
    model.fit(histories)
    rows = np.arange(len(customers))

    def write() -> None:
        chosen = model.best(histories, MOST, rows=rows, is_repeat=is_repeat)
        ends = np.arange(len(chosen) + 1, dtype=np.int32) * MOST
        listed = pa.ListArray.from_arrays(ends, pa.array(np.where(chosen >= 0, items[chosen], -1).ravel()))
        con.register("found", pa.table({"customer_id": customers, "items": listed}))
        con.execute("CREATE OR REPLACE TABLE answers AS FROM found").fetchall()

    return write
