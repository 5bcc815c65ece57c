"""XGBoost with its defaults, categories as its own, on one thread."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import xgboost
from numpy.typing import NDArray

from benchmarks.peers.tables import levels, with_codes


def fit(inputs: pd.DataFrame, labels: NDArray[np.int64]) -> Callable[[pd.DataFrame], NDArray[np.float64]]:
    """100 trees of depth 6."""
    known = levels(inputs)
    model = xgboost.XGBClassifier(n_jobs=1, enable_categorical=True).fit(with_codes(inputs, known), labels)
    return lambda rows: np.asarray(model.predict_proba(with_codes(rows, known))[:, 1], np.float64)
