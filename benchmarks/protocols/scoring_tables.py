"""Rows scored a second, table to table: the default classifier in SQL against the round trips of LightGBM and CatBoost.

A million rows of 16 numbers lie in a DuckDB table and the scores end in another. The round trip fetches a data frame,
predicts and writes back. All sides take turns, five repeats; models are fitted once, on 50,000 rows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import catboost
import lightgbm
import numpy as np
import pandas as pd

import sqlml
from benchmarks.report import Row

ROWS, QUICK_ROWS, FITTED = 1_000_000, 100_000, 50_000
REPEATS, THREADS = 5, 2
COLUMNS = tuple(f"x{i}" for i in range(16))
GOAL = "times LightGBM >= 3, times CatBoost >= 1"
SCORE = "CREATE OR REPLACE TABLE scored AS SELECT n, {} AS score FROM t"


def run(*, is_quick: bool) -> list[Row]:
    """A row a method: median and range of the repeats, and its speed relative to each round trip."""
    with sqlml.connect(threads=THREADS) as con:
        _table(con, QUICK_ROWS if is_quick else ROWS)
        sides = dict(_sides(con))
        for score in sides.values():
            score()
        turns = [{name: _seconds(score) for name, score in sides.items()} for _ in range(REPEATS)]
        seconds = {name: np.array([turn[name] for turn in turns]) for name in sides}
    return list(_rows(seconds, QUICK_ROWS if is_quick else ROWS))


def _table(con: sqlml.Connection, rows: int) -> None:
    columns = ", ".join(
        f"(hash(i * 10000 + {k}) / 18446744073709551616.0)::FLOAT AS {c}" for k, c in enumerate(COLUMNS)
    )
    label = "hash(n * 10000 + 99) / 18446744073709551616.0 < 1 / (1 + exp(6 * (x0 * x1 + x2 * x3 - x4 * x5) + x6 - 2))"
    con.execute(
        f"CREATE TABLE t AS SELECT *, {label} AS y FROM (SELECT i AS n, {columns} FROM range({rows}) r(i))"
    ).fetchall()


def _sides(con: sqlml.Connection) -> Iterator[tuple[str, Callable[[], None]]]:
    for method in ("net", "logistic"):
        con.execute(f"""CREATE MODEL {method}_model OPTIONS (label = 'y', key = 'n', method = '{method}')
                        AS SELECT * FROM t WHERE n < {FITTED}""").fetchall()
        yield f"sqlml {method}", lambda method=method: con.execute(SCORE.format(f"{method}_model_score(t)")).fetchall()  # type: ignore[misc]
    known = con.native.sql(f"SELECT {', '.join(COLUMNS)}, y FROM t WHERE n < {FITTED}").df()
    inputs, labels = known[list(COLUMNS)], known["y"]
    trees = lightgbm.LGBMClassifier(verbosity=-1, n_jobs=THREADS).fit(inputs, labels)
    yield "LightGBM, 100 trees", lambda: _round_trip(con, lambda x: trees.predict_proba(x)[:, 1])
    cat = catboost.CatBoostClassifier(iterations=500, verbose=0, thread_count=THREADS, allow_writing_files=False)
    cat.fit(inputs, labels)
    yield "CatBoost, 500 trees", lambda: _round_trip(con, lambda x: cat.predict_proba(x, thread_count=THREADS)[:, 1])


def _round_trip(con: sqlml.Connection, predict: Callable[[pd.DataFrame], object]) -> None:
    frame = con.native.sql(f"SELECT n, {', '.join(COLUMNS)} FROM t").df()
    con.register("predicted", pd.DataFrame({"n": frame["n"], "score": predict(frame[list(COLUMNS)])}))
    con.execute("CREATE OR REPLACE TABLE scored AS FROM predicted").fetchall()
    con.unregister("predicted")


def _seconds(score: Callable[[], None]) -> float:
    started = time.perf_counter()
    score()
    return time.perf_counter() - started


def _rows(seconds: dict[str, np.ndarray], rows: int) -> Iterator[Row]:
    medians = {name: float(np.median(each)) for name, each in seconds.items()}
    for name, each in seconds.items():
        row: dict[str, object] = {"method": name, "rows_per_second": rows / medians[name]}
        row["range"] = [float(rows / each.max()), float(rows / each.min())]
        peers = {peer.partition(",")[0]: median for peer, median in medians.items() if not peer.startswith("sqlml")}
        row |= {f"times {peer}": median / medians[name] for peer, median in peers.items()}
        row["goal"] = GOAL if name == "sqlml net" else None
        yield row
