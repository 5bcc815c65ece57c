"""LightGBM, tuned: leaves, rows a leaf, learning rate and number of trees by cross-validation."""

from __future__ import annotations

from collections.abc import Callable

import lightgbm
import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import KFold

from benchmarks.peers import search

GRID: dict[str, tuple[object, ...]] = {
    "num_leaves": (8, 4, 16, 31),
    "min_data_in_leaf": (100, 20),
    "learning_rate": (0.1, 0.03),
}
FOLDS, MOST_TREES, PATIENCE = 5, 1_000, 30
LOSSES = {"binary": "binary_logloss", "poisson": "poisson", "tweedie": "tweedie"}
FIXED = {"verbosity": -1, "seed": 0, "num_threads": 1}
Inputs = NDArray[np.float32]
Scores = NDArray[np.float64]


def scores(train_x: Inputs, train_y: NDArray[np.float32], test_x: Inputs, objective: str = "binary") -> Scores:
    """Probabilities or means (n,) of the settings with the best loss in five folds of the training rows."""
    settings, trees = tuned(train_x, train_y, objective)
    return fit(train_x, train_y, settings, trees)(test_x)


def tuned(
    inputs: Inputs, labels: NDArray[np.float32], objective: str, weights: NDArray[np.float32] | None = None
) -> tuple[search.Settings, int]:
    """The settings and the number of trees with the best loss in five folds."""
    fixed = {**FIXED, "objective": objective, "metric": LOSSES[objective]}

    def trial(settings: search.Settings) -> tuple[float, int]:
        stop = lightgbm.early_stopping(PATIENCE, verbose=False)
        data, folds = lightgbm.Dataset(inputs, labels, weight=weights), KFold(FOLDS).split(inputs)
        found = lightgbm.cv({**fixed, **settings}, data, num_boost_round=MOST_TREES, folds=folds, callbacks=[stop])
        losses = found[f"valid {LOSSES[objective]}-mean"]
        return float(min(losses)), len(losses)

    settings, trees = search.coordinates(GRID, trial)
    return {**fixed, **settings}, trees


def fit(
    inputs: Inputs,
    labels: NDArray[np.float32],
    settings: search.Settings,
    trees: int,
    weights: NDArray[np.float32] | None = None,
) -> Callable[[Inputs], Scores]:
    """A function of inputs, fitted to all rows."""
    model = lightgbm.train(settings, lightgbm.Dataset(inputs, labels, weight=weights), num_boost_round=trees)
    return lambda rows: np.asarray(model.predict(rows), np.float64)
