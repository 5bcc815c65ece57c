"""LightGBM, tuned: leaves, rows a leaf, learning rate and number of trees by cross-validation."""

from __future__ import annotations

from collections.abc import Callable

import lightgbm
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.peers import search
from benchmarks.peers.tables import TUNING_SEED, levels, parts, with_codes

GRID = {"num_leaves": (8, 4, 16, 32), "min_data_in_leaf": (40, 10), "learning_rate": (0.1, 0.03)}
FOLDS, MOST_TREES, PATIENCE = 4, 1_500, 50
FIXED = {
    "objective": "binary",
    "metric": "binary_logloss",
    "feature_fraction": 0.7,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "verbosity": -1,
    "num_threads": 1,
    "seed": 0,
}


def fit(inputs: pd.DataFrame, labels: NDArray[np.int64]) -> Callable[[pd.DataFrame], NDArray[np.float64]]:
    """The settings with the best log-loss in four folds of the training rows."""
    known = levels(inputs)
    coded, folds = with_codes(inputs, known), parts(inputs, labels, FOLDS, TUNING_SEED)

    def trial(settings: search.Settings) -> tuple[float, int]:
        stop = lightgbm.early_stopping(PATIENCE, verbose=False)
        data = lightgbm.Dataset(coded, labels)
        found = lightgbm.cv({**FIXED, **settings}, data, num_boost_round=MOST_TREES, folds=folds, callbacks=[stop])
        losses = found["valid binary_logloss-mean"]
        return float(min(losses)), len(losses)

    best, trees = search.coordinates(GRID, trial)
    model = lightgbm.train({**FIXED, **best}, lightgbm.Dataset(coded, labels), num_boost_round=trees)
    return lambda rows: np.asarray(model.predict(with_codes(rows, known)), np.float64)
