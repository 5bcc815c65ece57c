"""Rows scored a second: the way through DuckDB against the bare forward pass, scores by id against their features.

`forward` is a jitted 16-64-32-1 network called on 2048 rows at a time. On two threads it is compared in both ways that
two threads can be used: in one loop over the batches, as a user would write it, where XLA spreads each call; and in two
loops at once, each over half of the batches. A UDF that does nothing shows what the way alone costs. Both sides of a
comparison take turns, five repeats each; speeds are the median and the range. The model scored by id is trained for
three epochs in two folds: its quality does not matter here.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import duckdb
import jax
import numpy as np
from duckdb.func import FunctionNullHandling, PythonUDFType
from numpy.typing import NDArray

import sqlml
from benchmarks import timing
from benchmarks.report import Row
from sqlml import catalog, demo, queries, registry
from sqlml.udf import BUCKETS, Forward, Scorer

CHUNK = BUCKETS[-1]
COLUMNS = tuple(f"x{i}" for i in range(16))
SIZES = (16, 64, 32, 1)
CHUNKS, QUICK_CHUNKS = 977, 98
CUSTOMERS, QUICK_CUSTOMERS, DAYS = 200_000, 20_000, 240
TOLERANCE = 1e-5
PATH_GOAL, BY_ID_GOAL = "ratio >= 0.8", "ratio >= 0.77"
"""Of speeds; 0.77: 1.3 times the seconds of the features alone."""

Measured = Callable[[], float]


def run(*, is_quick: bool) -> list[Row]:
    """The path on one thread and on two, then scores by id."""
    chunks = QUICK_CHUNKS if is_quick else CHUNKS
    return [*(row for threads in (1, 2) for row in _path(chunks, threads)),
            *_by_id(QUICK_CUSTOMERS if is_quick else CUSTOMERS)]  # fmt: skip


def _path(chunks: int, threads: int) -> Iterator[Row]:
    forward = _network()
    with duckdb.connect(config={"threads": threads}) as con, ThreadPoolExecutor(threads) as pool:
        matrix = _table(con, chunks)
        scorers = _register(con, "f", forward), _register(con, "idle", _idle)
        fields = ", ".join(f"'{name}': {name}" for name in COLUMNS)
        query, idle = (f"SELECT avg({name}({{{fields}}})) FROM t" for name in ("f", "idle"))
        for loops in range(1, threads + 1):
            yield from _compared(
                f"{_case(threads)}, {loops} loop{'s' if loops > 1 else ''}",
                chunks * CHUNK,
                ("struct UDF in DuckDB", lambda: _value(con, query)),
                (
                    "forward in memory",
                    partial(_mean, pool, forward, matrix, loops),
                ),
                PATH_GOAL,
            )
        idle_seconds = np.array([timing.seconds(lambda: _value(con, idle)) for _ in range(timing.REPEATS)])
        speeds = chunks * CHUNK / idle_seconds
        yield {
            "case": _case(threads), "side": "struct UDF that does nothing", "rows": chunks * CHUNK,
            "rows_per_second": float(np.median(speeds)), "range": [float(speeds.min()), float(speeds.max())],
            "seconds": float(np.median(idle_seconds)),
        }  # fmt: skip
        for name in ("f", "idle"):
            con.remove_function(name)
        del scorers


def _case(threads: int) -> str:
    return f"path, {threads} thread{'s' if threads > 1 else ''}"


def _idle(inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """In place of a network: what is left is the way of a batch."""
    return inputs[0]


def _network() -> Forward:
    """Inputs (16, rows) → probabilities (rows,)."""
    rng = np.random.default_rng(0)
    shapes = zip(SIZES[1:], SIZES[:-1], strict=True)
    weights = jax.device_put([rng.normal(0, above**-0.5, (below, above)).astype(np.float32) for below, above in shapes])

    def outputs(layers: list[jax.Array], x: jax.Array) -> jax.Array:
        for layer in layers[:-1]:
            x = jax.nn.relu(layer @ x)
        return jax.nn.sigmoid(layers[-1] @ x)[0]

    compiled = jax.jit(outputs)
    return lambda inputs: np.asarray(compiled(weights, inputs))


def _table(con: duckdb.DuckDBPyConnection, chunks: int) -> NDArray[np.float32]:
    """Make table t; the same numbers as an array (chunks, 16, 2048)."""
    columns = ", ".join(
        f"(hash(i * 10000 + {k}) / 18446744073709551616.0 - 0.5)::FLOAT AS {c}" for k, c in enumerate(COLUMNS)
    )
    con.execute(f"CREATE TABLE t AS SELECT {columns} FROM range({chunks * CHUNK}) r(i)").fetchall()
    read = con.execute("FROM t").fetchnumpy()
    stacked = np.stack([np.asarray(read[name]).reshape(chunks, CHUNK) for name in COLUMNS], 1)
    return np.ascontiguousarray(stacked, np.float32)


def _register(con: duckdb.DuckDBPyConnection, name: str, forward: Forward) -> Scorer:
    """As the registry does for a stored version."""
    udf = registry.kind("score")
    scorer = Scorer(udf, lambda: forward)
    con.create_function(
        name,
        scorer,
        [duckdb.struct_type(dict.fromkeys(COLUMNS, "FLOAT"))],
        duckdb.sqltype(udf.returns),
        type=PythonUDFType.ARROW,
        null_handling=FunctionNullHandling.SPECIAL,
    )
    return scorer


def _mean(pool: ThreadPoolExecutor, forward: Forward, matrix: NDArray[np.float32], loops: int) -> float:
    parts = pool.map(lambda part: _total(forward, part), np.array_split(matrix, loops))
    return sum(parts) / (len(matrix) * CHUNK)


def _total(forward: Forward, matrix: NDArray[np.float32]) -> float:
    return sum(float(forward(chunk).sum(dtype=np.float64)) for chunk in matrix)


def _by_id(customers: int) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder, sqlml.connect(Path(folder) / "shop.duckdb") as con:
        demo.write_shop(con.native, customers, DAYS)
        con.execute("""CREATE MODEL churn OPTIONS (
            task = 'churn', horizon = INTERVAL 30 DAY, epochs = 3, folds = 2, max_cutoffs = 1)""").fetchall()
        events = int(_value(con.native, "SELECT count(*) FROM behavior.events"))
        score, scored = (f"SELECT {what} FROM behavior.customers" for what in (
            "avg(churn_score(customer_id))", "count(churn_score(customer_id))"))  # fmt: skip
        rows = int(_value(con.native, scored))
        feature_query = features_query(con)
        yield from _compared(
            f"by id, {events:,} events, model of 3 epochs",
            rows,
            ("churn_score(customer_id)", lambda: _value(con.native, score)),
            ("its features alone", lambda: _value(con.native, feature_query)),
            BY_ID_GOAL,
            is_equal=False,
        )


def features_query(con: sqlml.Connection) -> str:
    """A query that makes every feature of every customer and returns one number."""
    version = con.catalog().version("churn")
    macro = catalog.internal_macros(version.version_id)["features"]
    sums = " + ".join(f"coalesce(sum(__sqlml_x.{queries.identifier(n)}), 0)" for n in version.encoder.names)
    return f"SELECT {sums} FROM ml.{macro}((SELECT as_of FROM ml.latest))"


def _value(con: duckdb.DuckDBPyConnection, query: str) -> float:
    row = con.execute(query).fetchone()
    con.fetchall()
    return float(row[0]) if row else float("nan")


def _compared(
    case: str, rows: int, ours: tuple[str, Measured], bare: tuple[str, Measured], goal: str, *, is_equal: bool = True
) -> Iterator[Row]:
    """A row a side; the ratio is ours to bare, of the medians and of the turns."""
    answers = ours[1](), bare[1]()  # a turn to warm up
    if is_equal and abs(answers[0] - answers[1]) > TOLERANCE:
        raise AssertionError(f"The two sides disagree: {answers}.")
    seconds = timing.turns(ours[1], bare[1])
    speeds = rows / seconds
    ratio = float(np.median(speeds[:, 0]) / np.median(speeds[:, 1]))
    turns = speeds[:, 0] / speeds[:, 1]
    for i, (name, _) in enumerate((ours, bare)):
        yield {
            "case": case,
            "side": name,
            "rows": rows,
            "rows_per_second": float(np.median(speeds[:, i])),
            "range": [float(speeds[:, i].min()), float(speeds[:, i].max())],
            "seconds": float(np.median(seconds[:, i])),
            "ratio": None if i else ratio,
            "ratio_range": None if i else [float(turns.min()), float(turns.max())],
            "goal": None if i else goal,
        }
