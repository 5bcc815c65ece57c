"""Milliseconds of one score by a literal id, beside the plainest query of the same customer's events.

The events lie in a file on disk, ordered by customer. Ids are drawn by chance, each statement is a text of its own, and
both sides take turns. `aggregate` counts and sums one customer's events up to a moment: a floor, not a rival.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

import sqlml
from benchmarks import data, timing
from benchmarks.report import Row

EVENTS, QUICK_EVENTS = 10_000_000, 100_000
ASKED, QUICK_ASKED, WARM_UP = 400, 20, 20
MOMENT = "TIMESTAMP '2025-10-01'"
FLOOR = f"""SELECT count(*), sum(amount), max(event_time) FROM behavior.events
            WHERE customer_id = {{id}} AND event_time <= {MOMENT}"""
SIDES = {
    "churn_score(id, as_of)": f"SELECT churn_score({{id}}, {MOMENT})",
    "churn_score(id)": "SELECT churn_score({id})",
}
GOAL = "p50_ms <= 5, p99_ms <= 10"


def run(*, is_quick: bool) -> list[Row]:
    """With a moment, and with the newest."""
    events, asked = (QUICK_EVENTS, QUICK_ASKED) if is_quick else (EVENTS, ASKED)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder, sqlml.connect(Path(folder) / "events.duckdb") as con:
        data.write_events(con.native, events)
        con.execute("""CREATE MODEL churn OPTIONS (
            task = 'churn', horizon = INTERVAL 60 DAY, epochs = 3, folds = 2, max_cutoffs = 1)""").fetchall()
        con.execute("CHECKPOINT").fetchall()
        rng = np.random.default_rng(0)
        for name, text in SIDES.items():
            ids = rng.integers(0, events // data.EVENTS_EACH, (WARM_UP + asked, 2))  # of each side its own
            found = np.array([timing.turns(_asking(con, text, i), _asking(con, FLOOR, j), 1)[0] for i, j in ids])
            for side, seconds in zip((name, "aggregate"), 1000 * found[WARM_UP:].T, strict=True):
                goal = GOAL if side == "churn_score(id, as_of)" else None
                p50, p99 = np.quantile(seconds, [0.5, 0.99]).tolist()
                rows.append({"case": f"{events:,} events on disk", "side": side, "asked": asked,
                             "p50_ms": p50, "p99_ms": p99, "goal": goal})  # fmt: skip
    return rows


def _asking(con: sqlml.Connection, text: str, customer: int) -> Callable[[], object]:
    return partial(_answer, con, text.format(id=int(customer)))


def _answer(con: sqlml.Connection, query: str) -> object:
    return con.execute(query).fetchall()
