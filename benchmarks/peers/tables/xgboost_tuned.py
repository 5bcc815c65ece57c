"""XGBoost, tuned: depth, least weight of a leaf, learning rate and number of trees by cross-validation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import xgboost
from numpy.typing import NDArray

from benchmarks.peers import search
from benchmarks.peers.tables import TUNING_SEED, levels, parts, with_codes

GRID = {"max_depth": (4, 2, 3, 6), "min_child_weight": (5.0, 1.0), "eta": (0.1, 0.03)}
FOLDS, MOST_TREES, PATIENCE = 4, 1_500, 50
FIXED = {
    "objective": "binary:logistic",
    "eval_metric": "logloss",
    "tree_method": "hist",
    "subsample": 0.8,
    "colsample_bytree": 0.7,
    "lambda": 5.0,
    "nthread": 1,
    "seed": 0,
}


def fit(inputs: pd.DataFrame, labels: NDArray[np.int64]) -> Callable[[pd.DataFrame], NDArray[np.float64]]:
    """The settings with the best log-loss in four folds of the training rows."""
    known = levels(inputs)
    coded, folds = with_codes(inputs, known), parts(inputs, labels, FOLDS, TUNING_SEED)

    def trial(settings: search.Settings) -> tuple[float, int]:
        found = xgboost.cv({**FIXED, **settings}, _data(coded, labels), MOST_TREES, folds=folds,
                           early_stopping_rounds=PATIENCE)  # fmt: skip
        return float(found["test-logloss-mean"].iloc[-1]), len(found)

    best, trees = search.coordinates(GRID, trial)
    model = xgboost.train({**FIXED, **best}, _data(coded, labels), trees)
    return lambda rows: np.asarray(model.predict(_data(with_codes(rows, known))), np.float64)


def _data(inputs: pd.DataFrame, labels: NDArray[np.int64] | None = None) -> xgboost.DMatrix:
    return xgboost.DMatrix(inputs, labels, enable_categorical=True, nthread=1)
