"""scikit-learn's multilayer perceptron, stopped early."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from benchmarks.peers.tables import THREADS, with_text
from benchmarks.peers.tables._linear import prepared


def fit(inputs: pd.DataFrame, labels: NDArray[np.int64]) -> Callable[[pd.DataFrame], NDArray[np.float64]]:
    """One hidden layer of 100."""
    with threadpool_limits(THREADS, user_api="blas"):
        model = prepared(inputs, MLPClassifier(early_stopping=True, random_state=0))
        model.fit(with_text(inputs), labels)
    return lambda rows: np.asarray(model.predict_proba(with_text(rows))[:, 1], np.float64)
