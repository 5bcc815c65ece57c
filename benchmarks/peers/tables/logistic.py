"""Logistic regression as usual, C by cross-validation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from threadpoolctl import threadpool_limits

from benchmarks.peers.tables import THREADS, with_text
from benchmarks.peers.tables._linear import prepared

SETTINGS = {"logisticregression__C": [0.01, 0.03, 0.1, 0.3, 1.0, 3.0]}


def fit(inputs: pd.DataFrame, labels: NDArray[np.int64]) -> Callable[[pd.DataFrame], NDArray[np.float64]]:
    """The C with the best log-loss in five folds of the training rows."""
    with threadpool_limits(THREADS, user_api="blas"):
        search = GridSearchCV(
            prepared(inputs, LogisticRegression(max_iter=500)), SETTINGS, scoring="neg_log_loss", cv=5
        )
        model = search.fit(with_text(inputs), labels)
    return lambda rows: np.asarray(model.predict_proba(with_text(rows))[:, 1], np.float64)
