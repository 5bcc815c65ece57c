"""LightGBM, tuned a little: leaves, their least rows, learning rate and number of trees by cross-validation."""

from __future__ import annotations

import itertools

import lightgbm
import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import KFold

LEAVES, RATES, LEAST = (4, 8, 16, 31), (0.03, 0.1), (20, 100)
MOST_TREES = 1000
LOSSES = {"binary": "binary_logloss", "poisson": "poisson", "tweedie": "tweedie"}
FIXED = {"verbosity": -1, "seed": 0}


def scores(
    train_x: NDArray[np.float32],
    train_y: NDArray[np.float32],
    test_x: NDArray[np.float32],
    objective: str = "binary",
) -> NDArray[np.float64]:
    """Probabilities or means (n,) of the setting with the best loss in five folds of the training rows."""
    settings = itertools.product(LEAVES, RATES, LEAST)
    tried = (_tried(objective, leaves, rate, least, train_x, train_y) for leaves, rate, least in settings)
    _, trees, best = min(tried, key=lambda found: found[0])
    model = lightgbm.train(best, lightgbm.Dataset(train_x, train_y), num_boost_round=trees)
    return np.asarray(model.predict(test_x), np.float64)


def _tried(
    objective: str, leaves: int, rate: float, least: int, inputs: NDArray[np.float32], labels: NDArray[np.float32]
) -> tuple[float, int, dict[str, object]]:
    """(loss, number of trees, settings) by cross-validation with early stopping."""
    settings: dict[str, object] = {**FIXED, "objective": objective, "metric": LOSSES[objective]}
    settings |= {"num_leaves": leaves, "learning_rate": rate, "min_data_in_leaf": least}
    data = lightgbm.Dataset(inputs, labels)
    stop = lightgbm.early_stopping(30, verbose=False)
    folds = KFold(5).split(inputs)
    found = lightgbm.cv(settings, data, num_boost_round=MOST_TREES, folds=folds, callbacks=[stop])
    losses = found[f"valid {LOSSES[objective]}-mean"]
    return float(min(losses)), len(losses), settings
