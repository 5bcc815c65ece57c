"""Customer lifetime value: sqlml against the peers on the spend and the orders of a horizon that was withheld.

Everyone knows the events by `as_of` and forecasts each customer who has one. Spend is net of refunds, an order is a day
with purchases, a customer is active with an order in the horizon: AUC, log-loss and ECE are of that. BG/NBD, Pareto/NBD
and Gamma-Gamma are those of lifetimes, in an environment of its own. LightGBM learns spend, orders and activity from
sqlml's own features: at the newest cut-off, at all of them (`+ all`), and at all cut-offs of half the horizon (`half
windows`). Where the data are too short for a horizon after the newest cut-off, it learns a third of one. A forecast
from a shorter window is carried to the horizon, in proportion. `windows` has the number of cut-offs and the time after
each. `seconds` of sqlml are those of CREATE MODEL, with its features, rehearsal and calibration; those of a peer are
its fit and forecast. The intervals are of a paired bootstrap over customers.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import duckdb
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

import sqlml
from benchmarks import bootstrap, cases, data, metrics, report
from benchmarks.cases import Case, Windows
from benchmarks.peers.environment import LIFETIMES, PeerError
from benchmarks.peers.spend import Forecast, buy_till_you_die, lightgbm, rate
from benchmarks.report import Row
from sqlml import behavior, features, targets
from sqlml.features import Source
from sqlml.options import BehaviorOptions
from sqlml.queries import Frame
from sqlml.transforms import Target

TRAINING, TEST = "benchmark_training", "benchmark_test"
COMPARED = {"normalized_gini": 1, "rmse": -1, "absolute_bias": -1}
"""Metrics with a verdict: whether more is better, or less."""
OURS, FLOOR = "sqlml", "zero (floor)"
METHODS = {OURS: "auto", "sqlml, method bgnbd": "bgnbd"}
CASES = (
    Case("cdnow, 39 weeks", "cdnow", 273, as_of=datetime(1997, 9, 30)),
    Case("online retail, 90 days", "online_retail", 90, share=0.65),
)
KNOWN = """
    WITH days AS (
        SELECT customer_id, event_time::DATE AS day, sum(amount) FILTER (amount >= 0) AS paid, sum(amount) AS kept
        FROM behavior.events WHERE event_time <= $as_of AND customer_id IS NOT NULL GROUP BY ALL
    ), placed AS (
        SELECT *, row_number() OVER (PARTITION BY customer_id, paid IS NULL ORDER BY day) AS nth FROM days
    )
    SELECT customer_id, count(paid) AS orders, coalesce(sum(kept), 0) AS spend, greatest(orders - 1, 0) AS frequency,
           coalesce(max(day) FILTER (paid >= 0) - min(day) FILTER (paid >= 0), 0) AS recency,
           coalesce($as_of::DATE - min(day) FILTER (paid >= 0), 0) AS "T",
           coalesce(avg(paid) FILTER (nth > 1), 0) AS monetary_value
    FROM placed GROUP BY customer_id ORDER BY customer_id"""
FORECAST = """
    SELECT customer_id, spend, list_sum(list_transform(curve, lambda period: period.orders)) AS orders,
           1 - curve[-1].p_no_order AS active
    FROM (SELECT customer_id, clv(customer_id, $as_of) AS spend, clv_curve(customer_id, $as_of) AS curve FROM {test})
    ORDER BY customer_id"""


@dataclass(frozen=True)
class Size:
    """How much is run: draws of the bootstrap, customers of the shop, more options of sqlml."""

    draws: int = 2_000
    customers: int = 12_000
    options: str = ""
    needs_lifetimes: bool = True


QUICK_CASE = Case("shop, 90 days", data.SHOP, 90)
QUICK = Size(200, 1_000, ", epochs = 6, members = 2, width = 8, folds = 2", needs_lifetimes=False)


@dataclass(frozen=True)
class Test:
    """What came true of each customer, (n,), in the order of their ids, and what is `known` of them by `as_of`."""

    as_of: datetime
    customers: NDArray[np.generic]
    spend: NDArray[np.float64]
    orders: NDArray[np.float64]
    known: pd.DataFrame


@dataclass(frozen=True)
class Found:
    """What a method forecasts, after how many seconds, and from which windows; None and why, where it fails."""

    forecast: Forecast | None
    seconds: float | None = None
    failure: str | None = None
    windows: str | None = None


def run(*, is_quick: bool, only: str = "") -> list[Row]:
    """The cases whose data are there and that have `only` in their name.

    A quick run takes a small shop alone, and lifetimes only if it is there.
    """
    rows: list[Row] = []
    for case in (QUICK_CASE,) if is_quick else CASES:
        if only in case.name and data.is_here(case.data):
            rows += (new := _case(case, QUICK if is_quick else Size()))
            print(report.text(new), file=sys.stderr)
    return rows


def _case(case: Case, size: Size) -> list[Row]:
    with sqlml.connect() as con:
        data.load(con.native, case.data, size.customers)
        as_of = cases.moment(con.native, case)
        relations = behavior.read(con.native)
        label, horizon = targets.clv(relations, None), timedelta(days=case.horizon)
        source = Source(Frame(relations, order=label.order), label, None, horizon, BehaviorOptions().folds)
        test = _test(con.native, source, as_of)
        found: dict[str, Found] = {}
        for method, forecast, windows in _methods(con, case, source, test, size):
            found[method] = _found(forecast, windows)
            print(
                f"{case.name}: {method}, {found[method].failure or f'{found[method].seconds:.1f} s'}", file=sys.stderr
            )
        zeros = np.zeros(len(test.spend))
        return list(_rows(con.native, case, test, {**found, FLOOR: Found(Forecast(zeros, zeros, zeros))}, size.draws))


def _test(con: duckdb.DuckDBPyConnection, source: Source, as_of: datetime) -> Test:
    features.build_examples(con, source, TEST, (as_of,), source.horizon, as_of + source.horizon)
    query = f"SELECT customer_id, label, orders FROM {TEST} ORDER BY customer_id"
    customers, spend, orders = con.execute(query).fetchnumpy().values()
    known = con.execute(KNOWN, {"as_of": as_of}).df()
    if not np.array_equal(known["customer_id"].to_numpy(), customers):
        raise AssertionError("The test has other customers than those with an event.")
    return Test(as_of, customers, spend, orders, known)


def _methods(
    con: sqlml.Connection, case: Case, source: Source, test: Test, size: Size
) -> Iterator[tuple[str, Callable[[], tuple[Forecast, float]], str | None]]:
    """Each method, what gives its forecast and seconds, and the windows that a peer learns from."""
    for name, method in METHODS.items():
        options = size.options if method == "auto" else ""
        yield name, partial(_ours, con, case, test, f"method = '{method}'{options}"), None
    yield "rate x horizon", partial(_timed, rate.forecast, test.known, case.horizon), None
    if size.needs_lifetimes or LIFETIMES.is_here:
        for name, model in buy_till_you_die.MODELS.items():
            yield name, partial(_prepared, test, case, model), None
    for windows in cases.windows(con.native, test.as_of, source.horizon):
        yield f"LightGBM{windows.suffix}", partial(_lightgbm, con.native, source, test, windows), windows.shown


def _found(forecast: Callable[[], tuple[Forecast, float]], windows: str | None) -> Found:
    try:
        return Found(*forecast(), windows=windows)
    except PeerError as error:
        return Found(None, failure=str(error))


def _timed(forecast: Callable[..., Forecast], *given: object) -> tuple[Forecast, float]:
    started = time.monotonic()
    return forecast(*given), time.monotonic() - started


def _prepared(test: Test, case: Case, model: str) -> tuple[Forecast, float]:
    LIFETIMES.prepare()
    return _timed(buy_till_you_die.forecast, test.known, case.horizon, model)


def _ours(con: sqlml.Connection, case: Case, test: Test, options: str) -> tuple[Forecast, float]:
    started = time.monotonic()
    con.execute(f"""CREATE OR REPLACE MODEL clv OPTIONS (task = 'clv', horizon = INTERVAL {case.horizon} DAY,
        as_of = TIMESTAMP '{test.as_of}', {options})""").fetchall()
    seconds = time.monotonic() - started
    answers = con.native.execute(FORECAST.format(test=TEST), {"as_of": test.as_of}).fetchnumpy()
    parts = [answers[name] for name in ("spend", "orders", "active")]
    if not np.array_equal(answers["customer_id"], test.customers) or any(map(np.ma.is_masked, parts)):
        raise AssertionError("Not every customer of the test has a forecast.")
    return Forecast(*(np.asarray(part, np.float64) for part in parts)), seconds


def _lightgbm(con: duckdb.DuckDBPyConnection, source: Source, test: Test, windows: Windows) -> tuple[Forecast, float]:
    features.build_examples(con, source, TRAINING, windows.moments, windows.length, test.as_of)
    encoder, _ = features.fit_encoder(con, TRAINING, windows.lookback, BehaviorOptions().bins, Target("spend"))
    if any(column.is_category for column in encoder.columns):
        raise AssertionError("The peers take numbers alone.")
    training, asked = (features.read_arrays(con, table, encoder) for table in (TRAINING, TEST))
    order = cases.by_customer(con, TRAINING)
    inputs, (spend, orders, _) = training.inputs[order], np.ascontiguousarray(training.labels[order].T)
    with threadpool_limits(1, user_api="blas"):
        return _timed(lightgbm.forecast, inputs, spend, orders, asked.inputs, windows.ratio)


def _rows(
    con: duckdb.DuckDBPyConnection, case: Case, test: Test, found: Mapping[str, Found], draws: int
) -> Iterator[Row]:
    forecasts = {method: one.forecast for method, one in found.items() if one.forecast is not None}
    quality = _metrics(con, test, forecasts)
    drawn = {method: _drawn(test, forecast, draws) for method, forecast in forecasts.items()}
    for method, one in found.items():
        row: dict[str, object] = {"case": case.name, "method": method, "n": len(test.spend), **quality.get(method, {})}
        is_peer = method in drawn and method not in (OURS, FLOOR)
        for metric, sign in COMPARED.items():
            compared = _compared(quality, drawn, method, metric, sign) if is_peer else (None, None)
            row[f"sqlml_minus_{metric}"], row[f"sqlml_{metric}"] = compared
        row |= {"windows": one.windows, "seconds": one.seconds}
        yield {**row, **({"failure": one.failure} if one.failure else {})}


def _compared(
    quality: Mapping[str, Mapping[str, float]],
    drawn: Mapping[str, Mapping[str, NDArray[np.float64]]],
    method: str,
    metric: str,
    sign: int,
) -> tuple[list[float], str]:
    """The interval of the difference, and the verdict on it."""
    ours, theirs = drawn[OURS][metric], drawn[method][metric]
    gain = sign * (quality[OURS][metric] - quality[method][metric])
    level = bootstrap.LEVEL_SHARE * (1 if metric == "absolute_bias" else abs(quality[method][metric]))
    found = bootstrap.verdict(gain, *bootstrap.interval(sign * ours, sign * theirs), level)
    return list(bootstrap.interval(ours, theirs)), found


def _metrics(
    con: duckdb.DuckDBPyConnection, test: Test, forecasts: Mapping[str, Forecast]
) -> dict[str, dict[str, float]]:
    """Method → its metrics, as the package's own SQL counts them."""
    orders = metrics.measured(con, "number", test.orders, {name: one.orders for name, one in forecasts.items()})
    active = metrics.measured(con, "binary", test.orders > 0, {name: one.active for name, one in forecasts.items()})
    spend = metrics.measured(con, "spend", test.spend, {name: one.spend for name, one in forecasts.items()})
    of_spend = ("mae", "rmse", "normalized_gini", "spearman", "decile_mape", "bias")
    return {
        name: {
            "orders_rmse": orders[name]["rmse"],
            **{metric: active[name][metric] for metric in ("auc", "log_loss", "ece")},
            **{metric: spend[name][metric] for metric in of_spend},
            "absolute_bias": abs(spend[name]["bias"]),
        }
        for name in forecasts
    }


def _drawn(test: Test, forecast: Forecast, draws: int) -> dict[str, NDArray[np.float64]]:
    return {
        "normalized_gini": bootstrap.gini_draws(test.spend, forecast.spend, draws),
        "rmse": bootstrap.rmse_draws(test.spend, forecast.spend, draws),
        "absolute_bias": bootstrap.bias_draws(test.spend, forecast.spend, draws),
    }
