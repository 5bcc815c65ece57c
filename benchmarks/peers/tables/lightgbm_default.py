"""LightGBM with its defaults, on one thread."""

from __future__ import annotations

from collections.abc import Callable

import lightgbm
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.peers.tables import levels, with_codes


def fit(inputs: pd.DataFrame, labels: NDArray[np.int64]) -> Callable[[pd.DataFrame], NDArray[np.float64]]:
    """100 trees of 31 leaves."""
    known = levels(inputs)
    model = lightgbm.LGBMClassifier(verbosity=-1, n_jobs=1).fit(with_codes(inputs, known), labels)
    return lambda rows: np.asarray(model.predict_proba(with_codes(rows, known))[:, 1], np.float64)
