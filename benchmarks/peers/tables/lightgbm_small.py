"""LightGBM with small trees, tuned: leaves, learning rate and number of trees by cross-validation."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import lightgbm
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from benchmarks.peers.tables import THREADS, levels, with_codes

LEAVES, RATES = (4, 8, 16), (0.03, 0.1)
MOST_TREES = 1_000
FIXED = {
    "objective": "binary",
    "metric": "binary_logloss",
    "min_data_in_leaf": 40,
    "feature_fraction": 0.7,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "verbosity": -1,
    "num_threads": THREADS,
    "seed": 0,
}


def fit(inputs: pd.DataFrame, labels: NDArray[np.int64]) -> Callable[[pd.DataFrame], NDArray[np.float64]]:
    """The setting with the best log-loss in five folds of the training rows."""
    known = levels(inputs)
    coded = with_codes(inputs, known)
    tried = (_tried({**FIXED, "num_leaves": leaves, "learning_rate": rate}, coded, labels)
             for leaves, rate in itertools.product(LEAVES, RATES))  # fmt: skip
    _, trees, settings = min(tried, key=lambda found: found[0])
    model = lightgbm.train(settings, lightgbm.Dataset(coded, labels), num_boost_round=trees)
    return lambda rows: np.asarray(model.predict(with_codes(rows, known)), np.float64)


def _tried(
    settings: dict[str, object], inputs: pd.DataFrame, labels: NDArray[np.int64]
) -> tuple[float, int, dict[str, object]]:
    """(log-loss, number of trees, settings) by cross-validation with early stopping."""
    stop = lightgbm.early_stopping(50, verbose=False)
    folds = StratifiedKFold(5, shuffle=True, random_state=1).split(labels, labels)
    data = lightgbm.Dataset(inputs, labels)
    found = lightgbm.cv(settings, data, num_boost_round=MOST_TREES, folds=folds, callbacks=[stop])
    losses = found["valid binary_logloss-mean"]
    return float(min(losses)), len(losses), settings
