"""CatBoost with its defaults, categories as its own. Its threads are not OpenMP's: it has all cores."""

from __future__ import annotations

from collections.abc import Callable

import catboost
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.peers.search import THREADS
from benchmarks.peers.tables import categories, with_text


def fit(inputs: pd.DataFrame, labels: NDArray[np.int64]) -> Callable[[pd.DataFrame], NDArray[np.float64]]:
    """1,000 trees, its own learning rate."""
    model = catboost.CatBoostClassifier(verbose=0, thread_count=THREADS, random_seed=0, allow_writing_files=False)
    model.fit(with_text(inputs), labels, cat_features=categories(inputs))
    return lambda rows: np.asarray(model.predict_proba(with_text(rows))[:, 1], np.float64)
