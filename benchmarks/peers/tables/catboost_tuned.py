"""CatBoost, tuned: depth, learning rate, regularisation and number of trees on a fifth of the training rows.

A fit takes several times as long as one of LightGBM, so one fifth is held out instead of each in turn.
"""

from __future__ import annotations

from collections.abc import Callable

import catboost
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.peers import search
from benchmarks.peers.tables import TUNING_SEED, categories, parts, with_text

GRID = {"depth": (6, 4, 8), "learning_rate": (0.1, 0.05), "l2_leaf_reg": (3.0, 10.0)}
FIFTHS, MOST_TREES, PATIENCE = 5, 1_000, 40


def fit(inputs: pd.DataFrame, labels: NDArray[np.int64]) -> Callable[[pd.DataFrame], NDArray[np.float64]]:
    """The settings with the best log-loss on a fifth of the training rows, fitted to all of them."""
    text, names = with_text(inputs), categories(inputs)
    training, held_out = parts(inputs, labels, FIFTHS, TUNING_SEED)[0]
    known, asked = (catboost.Pool(text.iloc[rows], labels[rows], names) for rows in (training, held_out))

    def trial(settings: search.Settings) -> tuple[float, int]:
        model = _model(MOST_TREES, threads=1, **settings)
        model.fit(known, eval_set=asked, early_stopping_rounds=PATIENCE, use_best_model=True)
        return float(model.get_best_score()["validation"]["Logloss"]), int(model.tree_count_)

    best, trees = search.coordinates(GRID, trial)
    model = _model(max(1, trees), threads=search.THREADS, **best).fit(text, labels, cat_features=names)
    return lambda rows: np.asarray(model.predict_proba(with_text(rows))[:, 1], np.float64)


def _model(trees: int, *, threads: int, **settings: object) -> catboost.CatBoostClassifier:
    return catboost.CatBoostClassifier(
        iterations=trees, verbose=0, thread_count=threads, random_seed=0, allow_writing_files=False, **settings
    )
