"""Churn from events: sqlml against the peers on customers whose future was withheld.

Everyone learns from what was known at `as_of` and is tested on the horizon after it. Peers get sqlml's own features at
the newest cut-off, at all of them (`+ all`), and at all cut-offs of half the horizon (`half windows`). Where the data
are too short for a horizon after the newest cut-off, they learn a third of one. A probability learnt from a shorter
window is carried to the horizon at a steady hazard. `windows` has the number of cut-offs and the time after each.
`seconds` of sqlml are those of CREATE MODEL, with its features, rehearsal and calibration; those of a peer are its fit
alone.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import import_module

import duckdb
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

import sqlml
from benchmarks import bootstrap, cases, data, metrics, report
from benchmarks.cases import Case, Windows
from benchmarks.report import Row
from sqlml import behavior, demo, features, targets
from sqlml.features import Source
from sqlml.options import BehaviorOptions
from sqlml.queries import Frame
from sqlml.transforms import Encoder, Target

Scores = NDArray[np.float64]
PEERS = ("recency", "logistic", "lightgbm")
TRAINING, TEST = "benchmark_training", "benchmark_test"
RECENCY = "recency_days"
OURS, FLOOR = "sqlml", "base rate (floor)"
METRICS = ("base_rate", "auc", "log_loss", "ece", "top_decile_lift")
DRAWS, QUICK_DRAWS, QUICK_CUSTOMERS = 2_000, 200, 3_000

CASES = (
    Case("cdnow, 13 weeks", "cdnow", 91, as_of=datetime(1997, 12, 31)),
    Case("cdnow, 39 weeks, short data", "cdnow", 273, as_of=datetime(1997, 9, 30)),
    Case("online retail, 90 days", "online_retail", 90, share=0.65),
    Case("shop, 90 days", data.SHOP, 90),
)


@dataclass(frozen=True)
class Test:
    """The customers of a test, in the order of their ids: what came true, and who was active of late."""

    customers: NDArray[np.int64]
    labels: NDArray[np.float32]
    active: NDArray[np.bool_]
    truth: Scores | None


@dataclass(frozen=True)
class Found:
    """The scores of a method, after how many seconds, and from which windows."""

    scores: Scores
    seconds: float | None = None
    windows: str | None = None


def run(*, is_quick: bool, only: str = "") -> list[Row]:
    """The cases whose data are there and that have `only` in their name; a quick run takes a small shop alone."""
    rows: list[Row] = []
    for case in CASES:
        if only in case.name and data.is_here(case.data) and (case.data == data.SHOP or not is_quick):
            rows += (new := _case(case, is_quick=is_quick))
            print(report.text(new), file=sys.stderr)
    return rows


def _case(case: Case, *, is_quick: bool) -> list[Row]:
    with sqlml.connect() as con:
        data.load(con.native, case.data, *([QUICK_CUSTOMERS] if is_quick else []))
        as_of = cases.moment(con.native, case)
        test, found = _examples(con, case, as_of)
        return list(_rows(con.native, case, test, found, QUICK_DRAWS if is_quick else DRAWS))


def _examples(con: sqlml.Connection, case: Case, as_of: datetime) -> tuple[Test, Mapping[str, Found]]:
    """The test, and what every method gave on it."""
    native, horizon = con.native, timedelta(days=case.horizon)
    source = Source(Frame(behavior.read(native)), targets.churn(None), None, horizon, 3)
    features.build_examples(native, source, TEST, (as_of,), horizon, as_of + horizon)
    test = _test(native, case, as_of)
    found: dict[str, Found] = {OURS: _ours(con, case, as_of, test)}
    for windows in cases.windows(native, as_of, horizon):
        features.build_examples(native, source, TRAINING, windows.moments, windows.length, as_of)
        for peer, scored in _peers(native, windows):
            print(f"{case.name}: {peer}{windows.suffix}, {scored.seconds:.1f} s", file=sys.stderr)
            found[peer + windows.suffix] = scored
        if not windows.suffix:
            floor = np.full(len(test.labels), _base_rate(native) ** windows.ratio)
    return test, {**found, FLOOR: Found(floor)}


def _test(con: duckdb.DuckDBPyConnection, case: Case, as_of: datetime) -> Test:
    query = f"SELECT customer_id, label::FLOAT AS label, is_active FROM {TEST} ORDER BY customer_id"
    customers, labels, active = con.execute(query).fetchnumpy().values()
    truth = None
    if case.data == data.SHOP:
        rows = demo.true_probability(con, as_of, case.horizon).fetchall()
        known = dict(rows)
        truth = np.array([known[customer] for customer in customers.tolist()])
    return Test(customers, labels, active, truth)


def _ours(con: sqlml.Connection, case: Case, as_of: datetime, test: Test) -> Found:
    started = time.monotonic()
    con.execute(f"""CREATE MODEL churn OPTIONS (
        task = 'churn', horizon = INTERVAL {case.horizon} DAY, as_of = TIMESTAMP '{as_of}')""").fetchall()
    seconds = time.monotonic() - started
    query = f"SELECT customer_id, churn_score(customer_id, TIMESTAMP '{as_of}') AS score FROM {TEST} ORDER BY 1"
    scored = con.native.execute(query).fetchnumpy()
    if not np.array_equal(scored["customer_id"], test.customers) or np.ma.is_masked(scored["score"]):
        raise AssertionError("Not every customer of the test has a score.")
    return Found(np.asarray(scored["score"], np.float64), seconds)


def _peers(con: duckdb.DuckDBPyConnection, windows: Windows) -> Iterator[tuple[str, Found]]:
    encoder, _ = features.fit_encoder(con, TRAINING, windows.lookback, BehaviorOptions().bins, Target())
    names = sorted(encoder.names, key=lambda name: name != RECENCY)
    if any(column.is_category for column in encoder.columns):
        raise AssertionError("The peers take numbers alone.")
    encoder = Encoder(tuple(encoder.columns[encoder.names.index(name)] for name in names))
    training, test = (features.read_arrays(con, table, encoder) for table in (TRAINING, TEST))
    order = cases.by_customer(con, TRAINING)
    for peer in PEERS:
        started = time.monotonic()
        score = import_module(f"benchmarks.peers.{peer}").scores
        with threadpool_limits(1, user_api="blas"):  # small matrices: more threads only wait for each other
            scored = score(training.inputs[order], training.labels[order], test.inputs) ** windows.ratio
        yield peer, Found(scored, time.monotonic() - started, windows.shown)


def _base_rate(con: duckdb.DuckDBPyConnection) -> float:
    ((rate,),) = con.execute(f"SELECT avg(label::INT) FROM {TRAINING}").fetchall()
    return float(rate)


def _rows(
    con: duckdb.DuckDBPyConnection,
    case: Case,
    test: Test,
    found: Mapping[str, Found],
    draws: int,
) -> Iterator[Row]:
    for population, chosen in (("all", np.ones_like(test.active, dtype=bool)), ("active", test.active.astype(bool))):
        labels, truth = test.labels[chosen], None if test.truth is None else test.truth[chosen]
        scores = {method: one.scores[chosen] for method, one in found.items()}
        quality = _metrics(con, labels, scores)
        drawn = {method: bootstrap.auc_draws(labels, score, draws) for method, score in scores.items()}
        for method, score in scores.items():
            measured = quality[method]
            row: dict[str, object] = {"case": case.name, "customers": population, "method": method, **measured}
            difference = quality[OURS]["auc"] - measured["auc"]
            low, high = bootstrap.interval(drawn[OURS], drawn[method])
            is_peer = method not in (OURS, FLOOR)
            row["sqlml_minus_auc"] = [low, high] if is_peer else None
            row["sqlml_auc"] = bootstrap.verdict(difference, low, high) if is_peer else None
            row["excess_loss"] = None if truth is None else _excess(truth, score)
            yield {**row, "windows": found[method].windows, "seconds": found[method].seconds}


def _metrics(
    con: duckdb.DuckDBPyConnection, labels: NDArray[np.float32], scores: Mapping[str, Scores]
) -> dict[str, dict[str, float]]:
    found = metrics.measured(con, "binary", labels > 0, scores)
    return {method: {"n": int(all_of["n_rows"]), **{name: all_of[name] for name in METRICS}}
            for method, all_of in found.items()}  # fmt: skip


def _excess(truth: Scores, score: Scores) -> float:
    """Cross-entropy against the true probability, less the entropy of the truth."""
    q, p = (np.clip(values, 1e-7, 1 - 1e-7) for values in (truth, score))
    return float(np.mean(q * np.log(q / p) + (1 - q) * np.log((1 - q) / (1 - p))))
