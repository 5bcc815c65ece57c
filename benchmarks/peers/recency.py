"""Logistic regression on the days since the last event."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression


def scores(
    train_x: NDArray[np.float32], train_y: NDArray[np.float32], test_x: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Probabilities (n,) from log recency alone."""
    model = LogisticRegression().fit(_recency(train_x), train_y)
    return np.asarray(model.predict_proba(_recency(test_x))[:, 1], np.float64)


def _recency(inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.log1p(inputs[:, :1])
