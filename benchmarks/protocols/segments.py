"""Segments: sqlml against a spend model, RFM quintiles and plain k-means, by what came later and by stability.

`eta2_spend` and `eta2_orders` are the shares of the variance of spend and of orders, in a horizon that was withheld,
that lie between segments; the intervals are of a bootstrap over customers. `stability` is the mean adjusted Rand index
between fits on bootstrap samples of the customers, method and number of segments given; the standardisation of sqlml's
columns is that of all. `kept` is the share of customers without an event in the last month who keep the number that
sqlml gave them a month earlier, after a retrain, and `kept_method` the method that it chose then; the classic RFM
segments follow recency, so that customers move as they stay silent.
All get sqlml's features at `as_of` and as many segments. Spend model: LightGBM's forecast of spend, learnt at sqlml's
training cut-offs and cut into groups of equal size. RFM quintiles: the sum of the three scores cut into groups of equal
size. Plain k-means: of scikit-learn, on standardised columns. The verdicts are of those intervals. A table of rows has
no later: there are stability and silhouette, in the space of standardised columns. `seconds` of sqlml are those of
CREATE MODEL, in which it chooses method and number.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score, silhouette_score
from sklearn.preprocessing import StandardScaler

import sqlml
from benchmarks import bootstrap, cases, data, metrics, report
from benchmarks.bootstrap import LEVEL_SHARE
from benchmarks.cases import Case
from benchmarks.data import FOLDER
from benchmarks.peers import segments as peers
from benchmarks.report import Row
from sqlml import features, planning, segmentation
from sqlml.encoding import Arrays
from sqlml.methods import rfm
from sqlml.options import BehaviorOptions, ModelOptions, make
from sqlml.queries import identifier, literal
from sqlml.transforms import Encoder

TRAINING, TEST = "benchmark_training", "benchmark_test"
OURS, SPEND, QUINTILES, PLAIN = "sqlml", "LightGBM spend, equal groups", "RFM quintiles", "plain k-means"
MONTH = timedelta(days=30)
CASES = (Case("cdnow, 39 weeks", "cdnow", 273), Case("online retail, 90 days", "online_retail", 90, share=0.65))
QUICK_CASE = Case("shop, 90 days", data.SHOP, 90)
ROWS = ("wholesale_customers", "customer_id")
COMPARED = {"eta2_spend": 0, "eta2_orders": 1}
Labels = NDArray[np.int64]
Fit = Callable[[Arrays, int], peers.Assign]
"""(examples, seed) → a function of inputs (n, columns)."""


@dataclass(frozen=True)
class Size:
    """How much is run: draws of the bootstraps of η² and of stability, customers of the shop, more options of sqlml."""

    draws: int = 2_000
    fits: int = 8
    customers: int = 12_000
    options: str = ""


QUICK = Size(200, 3, 1_000, ", method = 'forecast', k = 4")


def run(*, is_quick: bool, only: str = "") -> list[Row]:
    """The cases whose data are there and that have `only` in their name; a quick run: a small shop and one method."""
    rows: list[Row] = []
    for case in (QUICK_CASE,) if is_quick else CASES:
        if only in case.name and data.is_here(case.data):
            rows += (new := list(_case(case, QUICK if is_quick else Size())))
            print(report.text(new), file=sys.stderr)
    if not is_quick and only in ROWS[0] and _file().exists():
        rows += list(_rows_of_a_table(Size()))
    return rows


def _case(case: Case, size: Size) -> Iterator[Row]:
    with sqlml.connect() as con:
        data.load(con.native, case.data, size.customers)
        as_of = cases.moment(con.native, case)
        seconds = _create(con, as_of, size.options)  # with whatever has to be compiled
        con.execute("DROP MODEL segment").fetchall()
        kept, kept_method = _kept(con, as_of, size.options)
        _create(con, as_of, size.options)
        chosen, k = _chosen(con, "segment")
        training, test, encoder = _arrays(con, case, as_of)
        asked = f"SELECT segment(customer_id, $t) AS number FROM {TEST} ORDER BY customer_id"
        ours = con.native.execute(asked, {"t": as_of}).fetchnumpy()
        found = {OURS: np.asarray(ours["number"], np.int64)}
        ways = _ways(training, encoder, replace(chosen, k=k), k)
        now = training.where(training.labels[:, 2] == 0)
        found |= {name: fit(training, 0)(test.inputs) for name, fit in ways.items() if name != OURS}
        quality = _measured(con.native, test, found)
        drawn = {name: _draws(test, each, size.draws) for name, each in found.items()}
        for name, fit in ways.items():
            row: dict[str, object] = {"case": case.name, "method": name, "n": len(test.labels)}
            row |= {"k": len(np.unique(found[name])), **{metric: quality[name][metric] for metric in COMPARED}}
            row["stability"] = _stability(fit, training, now.inputs, size.fits)
            if name != OURS:
                for metric, place in COMPARED.items():
                    low, high = bootstrap.interval(drawn[OURS][:, place], drawn[name][:, place])
                    gain, level = quality[OURS][metric] - quality[name][metric], LEVEL_SHARE * quality[name][metric]
                    row[f"sqlml_minus_{metric}"] = [low, high]
                    row[f"sqlml_{metric}"] = bootstrap.verdict(gain, low, high, level)
            if name == OURS:
                row |= {"kept": kept, "kept_method": kept_method, "seconds": seconds, "chosen": chosen.method}
            yield row


def _create(con: sqlml.Connection, as_of: datetime, options: str) -> float:
    started = time.monotonic()
    con.execute(f"CREATE OR REPLACE MODEL segment OPTIONS (task = 'segment', as_of = TIMESTAMP '{as_of}'{options})")
    con.fetchall()
    return time.monotonic() - started


def _kept(con: sqlml.Connection, as_of: datetime, options: str) -> tuple[float, str]:
    """Train a month earlier, retrain at `as_of`: of customers to whom nothing happened, who keeps the number.

    Returns:
        The share of them, and the method that was chosen.
    """
    earlier = as_of - MONTH
    _create(con, earlier, options)
    numbers = (
        "SELECT customer_id, segment(customer_id, $t) AS number FROM (SELECT DISTINCT customer_id FROM behavior.events)"
    )
    con.native.execute(f"CREATE OR REPLACE TABLE main.so_far AS {numbers}", {"t": earlier}).fetchall()
    con.execute(f"ALTER MODEL segment RETRAIN OPTIONS (as_of = TIMESTAMP '{as_of}')").fetchall()
    query = f"""SELECT avg((s.number IS NOT DISTINCT FROM n.number)::INT)
                FROM main.so_far s JOIN ({numbers}) n USING (customer_id)
                WHERE s.number IS NOT NULL AND customer_id NOT IN (
                    SELECT customer_id FROM behavior.events
                    WHERE event_time > $earlier AND event_time <= $t AND customer_id IS NOT NULL)"""
    kept = float(con.native.execute(query, {"t": as_of, "earlier": earlier}).fetchall()[0][0])
    method = _chosen(con, "segment")[0].method
    con.execute("DROP MODEL segment").fetchall()
    return kept, method


def _chosen(con: sqlml.Connection, model: str) -> tuple[ModelOptions, int]:
    """The options with the method that was chosen, and how many segments there are."""
    version = con.catalog().version(model)
    return version.options, len(version.encoder.target.numbers)


def _arrays(con: sqlml.Connection, case: Case, as_of: datetime) -> tuple[Arrays, Arrays, Encoder]:
    """Examples as CREATE MODEL has them, and each customer with what came later."""
    native, horizon = con.native, timedelta(days=case.horizon)
    plan = planning.of(native, make(BehaviorOptions, {"task": "segment", "as_of": str(as_of)}))
    source, calendar = plan.recipe.source, plan.calendar
    features.build_examples(native, source, TRAINING, calendar.cutoffs, calendar.horizon, as_of)
    features.build_examples(native, source, TEST, (as_of,), horizon, as_of + horizon)
    encoder = con.catalog().version("segment").encoder
    training, test = (features.read_arrays(native, table, encoder) for table in (TRAINING, TEST))
    return training, test, encoder


def _ways(training: Arrays, encoder: Encoder, chosen: ModelOptions, k: int) -> dict[str, Fit]:
    """Method → how it is fitted, all with k segments."""
    places = [encoder.names.index(name) for name in rfm.COLUMNS]

    def now(sample: Arrays) -> NDArray[np.float32]:
        return sample.inputs[sample.labels[:, 2] == 0]

    tuned = _past(training).tuned()
    return {
        OURS: partial(_ours, encoder, chosen),
        SPEND: lambda sample, seed: peers.spend_groups(_past(sample), *tuned, now(sample), k),
        QUINTILES: lambda sample, seed: peers.quintiles(now(sample), k, places),
        PLAIN: lambda sample, seed: peers.plain(now(sample), k, seed),
    }


def _past(sample: Arrays) -> peers.Examples:
    """The examples of which something of the future was observed; one counts by how much of its horizon is over."""
    places = np.random.default_rng(0).permutation(int(sample.folds.max()) + 1)[sample.folds]
    past = sample.at(np.argsort(places, kind="stable"))
    past = past.where(past.labels[:, 2] > 0)
    share = past.labels[:, 2]
    spend = np.maximum(past.labels[:, 0], np.float32(0)) / share
    return peers.Examples(past.inputs, spend.astype(np.float32), share)


def _ours(encoder: Encoder, chosen: ModelOptions, sample: Arrays, seed: int) -> peers.Assign:
    how = segmentation.segmenter(chosen.method)
    weights = how.fit(sample, encoder, replace(chosen, seed=seed)).weights
    return lambda rows: how.segments(weights, encoder, rows)


def _stability(fit: Fit, training: Arrays, asked: NDArray[np.float32], fits: int) -> float:
    """Customers are drawn with all their examples; every fit is asked about everybody."""
    customers, found = int(training.folds.max()) + 1, []
    for seed in range(fits):
        counts = np.random.default_rng(seed).multinomial(customers, np.full(customers, 1 / customers))
        sample = training.at(np.repeat(np.arange(len(training.folds)), counts[training.folds]))
        found.append(fit(sample, seed)(asked))
    return _agreement(found)


def _agreement(found: Sequence[Labels]) -> float:
    return float(np.mean([adjusted_rand_score(one, other) for i, one in enumerate(found) for other in found[:i]]))


def _measured(con: duckdb.DuckDBPyConnection, test: Arrays, found: Mapping[str, Labels]) -> dict[str, dict[str, float]]:
    """Method → its metrics, as the package's own SQL counts them."""
    later = pa.StructArray.from_arrays(
        [pa.array(each, pa.float64()) for each in test.labels[:, :2].T], ["spend", "orders"]
    )
    return metrics.measured(con, "segment", later, {name: each.astype(float) for name, each in found.items()})


def _draws(test: Arrays, segments: Labels, draws: int) -> NDArray[np.float64]:
    """η² of spend and of orders on bootstrap samples of the customers, (draws, 2)."""
    members = np.eye(segments.max() + 1)[segments]
    values = test.labels[:, :2].astype(np.float64)
    found = []
    for draw in range(draws):  # the same customers for every method
        rows = np.random.default_rng(draw).multinomial(len(values), np.full(len(values), 1 / len(values)))
        weighted = members * rows[:, None]
        sizes, sums = weighted.sum(0), weighted.T @ values
        total, squares = sums.sum(0), rows @ values**2
        between = (sums**2 / np.maximum(sizes, 1)[:, None]).sum(0) - total**2 / len(values)
        found.append(between / (squares - total**2 / len(values)))
    return np.array(found)


def _rows_of_a_table(size: Size) -> Iterator[Row]:
    """Segments of rows: how stable and how clear."""
    name, key = ROWS
    with sqlml.connect() as con:
        query = f"FROM read_parquet({literal(str(_file()))})"
        started = time.monotonic()
        con.execute(f"CREATE MODEL segment OPTIONS (task = 'segment', key = '{key}') AS {query}").fetchall()
        seconds = time.monotonic() - started
        chosen, k = _chosen(con, "segment")
        encoder = con.catalog().version("segment").encoder
        listed = ", ".join(f"r.{identifier(column.name)}::FLOAT" for column in encoder.columns)
        read = con.native.execute(f"SELECT {listed}, segment(r) FROM ({query}) r ORDER BY {key}").fetchnumpy()
        *columns, numbers = (np.asarray(values) for values in read.values())
        inputs = np.stack(columns, 1).astype(np.float32)
        rows = Arrays(inputs, np.zeros((len(inputs), 3), np.float32), np.arange(len(inputs)))
        ways: dict[str, Fit] = {
            OURS: partial(_ours, encoder, replace(chosen, k=k)),
            PLAIN: lambda sample, seed: peers.plain(sample.inputs, k, seed),
        }
        space = StandardScaler().fit_transform(np.sign(inputs) * np.log1p(np.abs(inputs)))
        for method, fit in ways.items():
            found = numbers if method == OURS else fit(rows, 0)(inputs)
            row: dict[str, object] = {"case": name, "method": method, "n": len(inputs), "k": len(np.unique(found))}
            row |= {
                "stability": _stability(fit, rows, inputs, size.fits),
                "silhouette": float(silhouette_score(space, found)),
            }
            yield {**row, **({"seconds": seconds, "chosen": chosen.method} if method == OURS else {})}


def _file() -> Path:
    return Path(os.environ.get(FOLDER, "")) / f"{ROWS[0]}.parquet"
