"""Seconds of CREATE MODEL on real tables, beside the fit of CatBoost with its defaults, and the AUC of both.

Four fifths of the rows are learnt from, AUC is of the others. CREATE MODEL holds out, cross-validates, calibrates,
tests and explains as well; CatBoost fits, nothing else. Both sides take turns, five repeats each; `first` are the
seconds of our first run, with its compilations. `ratio` is that of the medians; 1 or less at equal or better AUC is the
goal: `auc_gain` is ours less theirs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from sklearn.metrics import roc_auc_score

import sqlml
from benchmarks import timing
from benchmarks.data import FOLDER
from benchmarks.peers.tables import catboost_default as catboost
from benchmarks.protocols import tabular
from benchmarks.protocols.tabular import Case
from benchmarks.report import Row

PEER = "CatBoost"
GOAL = "ratio <= 1, auc_gain >= 0"
QUICK_REPEATS = 1


def run(*, is_quick: bool) -> list[Row]:
    """Two rows a table."""
    cases = [case for case in tabular.CASES if tabular.file(case).exists()] if FOLDER in os.environ else []
    repeats = QUICK_REPEATS if is_quick else timing.REPEATS
    return [row for case in cases[: 1 if is_quick else None] for row in _compared(case, repeats)]


def _compared(case: Case, repeats: int) -> Iterator[Row]:
    with sqlml.connect() as con:
        inputs, labels, parts = tabular.load(con, case)
        training, test = parts[0]
        tabular.mark(con, training, test)

        def ours() -> None:
            con.execute(tabular.create(case)).fetchall()

        def theirs() -> None:
            catboost.fit(inputs.iloc[training], labels[training])

        first = timing.seconds(ours)
        theirs()
        found = timing.turns(ours, theirs, repeats)
        scores = con.execute(
            "SELECT m_score(d) AS score FROM data d JOIN marks USING (n) WHERE is_test ORDER BY n"
        ).fetchnumpy()["score"]
    predicted = catboost.fit(inputs.iloc[training], labels[training])(inputs.iloc[test])
    mine, other = timing.compared(found)
    auc, other_auc = roc_auc_score(labels[test], scores), roc_auc_score(labels[test], predicted)
    yield {"case": case.name, "side": tabular.OURS, "auc": auc, "auc_gain": auc - other_auc, **mine, "first": first,
           "goal": GOAL}  # fmt: skip
    yield {"case": case.name, "side": PEER, "auc": other_auc, **other}
