"""Free text: the reviews of women's clothing, sqlml against TF-IDF with logistic regression, in the same run.

A fifth of the reviews is held out, every side learns from the others by title and text and scores the fifth in a
process of its own. `seconds` are those of CREATE MODEL, with its hold-out, folds and calibration, or of the peer's one
fit; `score_seconds` of scoring the held-out reviews; `peak_gib` is the most memory that the process held.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score

import sqlml
from benchmarks.data import FOLDER
from benchmarks.report import Row
from benchmarks.timing import peak
from sqlml.queries import literal

FILE = "womens_clothing_reviews.parquet"
SIDES = ("sqlml", "sqlml logistic", "tf-idf of words", "tf-idf of words and pairs")
QUICK_ROWS, ALL_ROWS = 3_000, 1_000_000
Scores = NDArray[np.float64]


def run(*, is_quick: bool) -> list[Row]:
    """One table, every side."""
    path = Path(os.environ.get(FOLDER, "")) / FILE
    if FOLDER not in os.environ or not path.exists():
        return []
    rows = [_alone(side, path, QUICK_ROWS if is_quick else ALL_ROWS) for side in SIDES]
    slowest = max(float(row["seconds"]) for row in rows if row["method"] not in SIDES[:2])
    return [{**row, "times_tf_idf": float(row["seconds"]) / slowest} for row in rows]


def _alone(side: str, path: Path, rows: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.protocols.text", side, str(path), str(rows)]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return found


def measure(side: str, path: str, rows: int) -> dict[str, Any]:
    """What one side takes, and how good its scores are."""
    with sqlml.connect() as con:
        con.execute(f"""CREATE TABLE reviews AS SELECT review_id, title, review_text, recommended
                        FROM {literal(path)} ORDER BY review_id LIMIT {rows}""").fetchall()
        labels = con.execute("SELECT recommended FROM reviews WHERE review_id % 5 = 0 ORDER BY review_id").fetchnumpy()
        fit = _sqlml if side.startswith("sqlml") else _tf_idf
        scores, seconds, score_seconds = fit(con, side)
    known = labels["recommended"].astype(int)
    return {
        "case": "reviews",
        "method": side,
        "auc": float(roc_auc_score(known, scores)),
        "log_loss": float(log_loss(known, np.clip(scores, 1e-7, 1 - 1e-7))),
        "seconds": seconds,
        "score_seconds": score_seconds,
        "peak_gib": peak(),
    }


def _sqlml(con: sqlml.Connection, side: str) -> tuple[Scores, float, float]:
    method = "logistic" if side.endswith("logistic") else "net"
    started = time.perf_counter()
    con.execute(f"""CREATE MODEL m OPTIONS (label = 'recommended', key = 'review_id', method = '{method}')
                    AS FROM reviews WHERE review_id % 5 <> 0""").fetchall()
    trained = time.perf_counter()
    found = con.execute("""SELECT coalesce(m_score(r), (SELECT avg(recommended::INT) FROM reviews)) AS score
                           FROM reviews r WHERE review_id % 5 = 0 ORDER BY review_id""").fetchnumpy()
    return found["score"].astype(float), trained - started, time.perf_counter() - trained


def _tf_idf(con: sqlml.Connection, side: str) -> tuple[Scores, float, float]:
    frame = con.native.sql("FROM reviews ORDER BY review_id").df()
    text = frame.title.fillna("") + " " + frame.review_text.fillna("")
    is_test, labels = (frame.review_id % 5 == 0).to_numpy(), frame.recommended.astype(int).to_numpy()
    started = time.perf_counter()
    terms = TfidfVectorizer(ngram_range=(1, 2 if side.endswith("pairs") else 1))
    model = LogisticRegression(max_iter=1000).fit(terms.fit_transform(text[~is_test]), labels[~is_test])
    trained = time.perf_counter()
    scores = model.predict_proba(terms.transform(text[is_test]))[:, 1]
    return np.asarray(scores, np.float64), trained - started, time.perf_counter() - trained


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
