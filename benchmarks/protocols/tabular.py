"""Query models: sqlml against the peers in five stratified folds, every tuning inside the training rows.

Rows with equal inputs lie on the same side of every split, also inside the tuning of the peers. `..._default` peers
have the settings of the library, the others tune theirs. The row of sqlml names the peer with the best figure and the
verdict against it.

A fold's model is made by CREATE MODEL on its training rows and scored by its function; `seconds` are those of CREATE
MODEL, with the hold-out, its test, importances and calibration; those of a peer are its fit alone, tuning included.
The peers that use OpenMP fit on one thread, and tune as many settings at once as there are cores; CatBoost's defaults
have all cores.
AUC, AP, log-loss and Brier are means over the folds, ECE is of the scores of all folds together. `rows_per_second` is
scoring from a DuckDB table to a DuckDB table. The verdicts are of a paired bootstrap of the pooled rows.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

import sqlml
from benchmarks import bootstrap
from benchmarks.data import FOLDER
from benchmarks.peers import tables
from benchmarks.peers.tables import Part
from benchmarks.report import Row, text
from sqlml.queries import literal

Scores = NDArray[np.float64]
PEERS = (
    "logistic",
    "mlp",
    "lightgbm_tuned",
    "xgboost_tuned",
    "catboost_tuned",
    "lightgbm_default",
    "xgboost_default",
    "catboost_default",
)
OURS = "sqlml"
FOLDS, QUICK_FOLDS, DRAWS, QUICK_DRAWS = 5, 2, 2_000, 200
BINS = 15
LEVEL_LOSS = 0.02
QUICK_ROWS = 2_000


@dataclass(frozen=True)
class Case:
    """A table with a binary label."""

    name: str
    label: str
    key: str
    exclude: tuple[str, ...] = ()


CASES = (
    Case("telco_churn", "churn", "customer_id"),
    Case("bank_churn", "churn", "customer_id", ("surname",)),
    Case("online_shoppers", "revenue", "row_id"),
    Case("credit_default", "default_next_month", "customer_id"),
    Case("card_churn", "churn", "customer_id"),
    Case("employee_churn", "churn", "employee_id"),
)


@dataclass
class Found:
    """What a method gave: scores of all rows, each from the fold that held it out, and its seconds and coverage."""

    scores: Scores
    seconds: list[float]
    score_seconds: list[float]
    coverage: list[float]


def run(*, is_quick: bool, only: str = "") -> list[Row]:
    """The tables that are there and have `only` in their name; of the first alone 2,000 rows in a quick run."""
    rows: list[Row] = []
    cases = [case for case in CASES if only in case.name and file(case).exists()] if FOLDER in os.environ else []
    for case in cases[: 1 if is_quick else None]:
        size = (QUICK_FOLDS, QUICK_DRAWS, QUICK_ROWS) if is_quick else (FOLDS, DRAWS, None)
        rows += (new := _case(case, *size))
        print(text(new), file=sys.stderr)
    return rows


def file(case: Case) -> Path:
    """Where its table lies."""
    return Path(os.environ[FOLDER]) / f"{case.name}.parquet"


def load(
    con: sqlml.Connection, case: Case, rows: int | None = None
) -> tuple[pd.DataFrame, NDArray[np.int64], list[Part]]:
    """Make the table `data`, of a sample where `rows` are given.

    Returns:
        Its inputs and labels as the peers take them, and the folds: (training, test) rows.
    """
    sample = "" if rows is None else f"USING SAMPLE reservoir({rows} ROWS) REPEATABLE (0)"
    source = f"(FROM {literal(str(file(case)))} {sample})"
    con.execute(f"CREATE TABLE data AS SELECT row_number() OVER () AS n, * FROM {source}").fetchall()
    frame = con.native.sql("FROM data ORDER BY n").df()
    labels = frame[case.label].astype(int).to_numpy()
    inputs = frame.drop(columns=["n", case.label, case.key, *case.exclude])
    return inputs, labels, tables.parts(inputs, labels, FOLDS, seed=0)


def mark(con: sqlml.Connection, training: NDArray[np.int64], test: NDArray[np.int64]) -> None:
    """Make the table `marks`: which rows are learnt from, and which are tested on."""
    marks = pd.DataFrame({"n": np.r_[training, test] + 1, "is_test": [False] * len(training) + [True] * len(test)})
    con.register("marks", marks)


def create(case: Case) -> str:
    """The statement that learns from the rows that `mark` named."""
    exclude = ", ".join(map(literal, ("n", *case.exclude)))
    return f"""CREATE OR REPLACE MODEL m OPTIONS (
        task = 'classification', label = '{case.label}', key = '{case.key}', exclude = [{exclude}])
        AS SELECT data.* FROM data JOIN marks USING (n) WHERE NOT is_test"""


def _case(case: Case, folds: int, draws: int, rows: int | None) -> list[Row]:
    with sqlml.connect() as con:
        inputs, labels, parts = load(con, case, rows)
        parts = parts[:folds]
        found = {OURS: _ours(con, case, parts, len(labels))}
        for peer in PEERS:
            found[peer] = _peer(peer, inputs, labels, parts)
            print(f"{case.name}: {peer}, {np.mean(found[peer].seconds):.1f} s a fold", file=sys.stderr)
    tested = np.concatenate([test for _, test in parts])
    return list(_rows(case, labels, parts, tested, found, draws))


def _ours(con: sqlml.Connection, case: Case, parts: list[Part], rows: int) -> Found:
    found = Found(np.zeros(rows), [], [], [])
    for training, test in parts:
        mark(con, training, test)
        started = time.perf_counter()
        con.execute(create(case)).fetchall()
        found.seconds.append(time.perf_counter() - started)
        con.execute(
            "CREATE OR REPLACE TABLE test AS SELECT data.* FROM data JOIN marks USING (n) WHERE is_test"
        ).fetchall()
        con.execute("CREATE OR REPLACE TABLE scored AS SELECT n, m_score(t) AS score FROM test t").fetchall()  # warm up
        started = time.perf_counter()
        con.execute("CREATE OR REPLACE TABLE scored AS SELECT n, m_score(t) AS score FROM test t").fetchall()
        found.score_seconds.append(time.perf_counter() - started)
        scored = con.execute("FROM scored ORDER BY n").fetchnumpy()
        found.scores[scored["n"] - 1] = scored["score"]
        covered = f"SELECT avg(list_contains(m_interval(t), {case.label})::INT) FROM test t"
        found.coverage.append(con.execute(covered).fetchall()[0][0])
        con.unregister("marks")
    return found


def _peer(peer: str, inputs: pd.DataFrame, labels: NDArray[Any], parts: list[Part]) -> Found:
    """A peer fits, then the round trip of a score: its own table of inputs to probabilities."""
    found = Found(np.zeros(len(labels)), [], [], [])
    fit = import_module(f"benchmarks.peers.tables.{peer}").fit
    for training, test in parts:
        started = time.perf_counter()
        predict = fit(inputs.iloc[training], labels[training])
        found.seconds.append(time.perf_counter() - started)
        started = time.perf_counter()
        found.scores[test] = predict(inputs.iloc[test])
        found.score_seconds.append(time.perf_counter() - started)
    return found


def _rows(
    case: Case,
    labels: NDArray[Any],
    parts: list[Part],
    tested: NDArray[Any],
    found: Mapping[str, Found],
    draws: int,
) -> Iterator[Row]:
    means = {name: np.mean([_metrics(labels[test], one.scores[test]) for _, test in parts], axis=0)
             for name, one in found.items()}  # fmt: skip
    verdicts = _verdicts(labels[tested], {name: one.scores[tested] for name, one in found.items()}, draws)
    best = [max(PEERS, key=lambda peer: means[peer][0]), min(PEERS, key=lambda peer: means[peer][2])]
    verdicts[OURS] = tuple(f"{verdicts[peer][place]} (best peer: {peer})" for place, peer in enumerate(best))
    for name, one in found.items():
        row: dict[str, object] = {"case": case.name, "method": name}
        row |= dict(zip(("auc", "ap", "log_loss", "brier"), map(float, means[name]), strict=True))
        row["ece"] = _ece(labels[tested], one.scores[tested])
        row["coverage_90"] = float(np.mean(one.coverage)) if one.coverage else None
        row["sqlml_auc"], row["sqlml_log_loss"] = verdicts[name]
        row["seconds"] = float(np.mean(one.seconds))
        row["rows_per_second"] = float(len(tested) / np.sum(one.score_seconds))
        yield row


def _verdicts(labels: NDArray[Any], scores: Mapping[str, Scores], draws: int) -> dict[str, tuple[str, ...]]:
    """Peer → verdicts on AUC and log-loss, of labels and scores (n,)."""
    drawn = {name: bootstrap.auc_draws(labels, score, draws) for name, score in scores.items()}
    losses = {name: _losses(labels, score) for name, score in scores.items()}
    found: dict[str, tuple[str, ...]] = {}
    for peer in scores.keys() - {OURS}:
        gains, saved = drawn[OURS] - drawn[peer], losses[peer] - losses[OURS]
        auc = bootstrap.verdict(float(gains.mean()), *bootstrap.interval(drawn[OURS], drawn[peer]))
        level = LEVEL_LOSS * float(losses[OURS].mean())
        loss = bootstrap.verdict(float(saved.mean()), *bootstrap.mean_interval(saved, draws), level)
        found[peer] = (auc, loss)
    return found


def _losses(labels: NDArray[Any], scores: Scores) -> Scores:
    clipped = np.clip(scores, 1e-7, 1 - 1e-7)
    return -np.where(labels > 0, np.log(clipped), np.log(1 - clipped))


def _metrics(labels: NDArray[Any], scores: Scores) -> tuple[float, ...]:
    return (roc_auc_score(labels, scores), average_precision_score(labels, scores),
            log_loss(labels, np.clip(scores, 1e-7, 1 - 1e-7)), brier_score_loss(labels, scores))  # fmt: skip


def _ece(labels: NDArray[Any], scores: Scores) -> float:
    """Expected calibration error in 15 bins of equal mass."""
    order = np.argsort(scores, kind="stable")
    gaps = (abs(labels[part].sum() - scores[part].sum()) for part in np.array_split(order, BINS))
    return float(sum(gaps) / len(labels))
