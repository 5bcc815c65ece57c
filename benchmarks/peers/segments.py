"""Peers that segment customers: `quintiles(...)` and `plain(...)` give a function of inputs (n, columns)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

Inputs = NDArray[np.float32]
Assign = Callable[[Inputs], NDArray[np.int64]]
FIFTHS = (0.2, 0.4, 0.6, 0.8)


def plain(inputs: Inputs, k: int, seed: int) -> Assign:
    """k-means as in any tutorial: missing values 0, columns standardised, ten starts."""
    found = make_pipeline(
        SimpleImputer(strategy="constant", fill_value=0.0, keep_empty_features=True),
        StandardScaler(),
        KMeans(k, n_init=10, random_state=seed),
    ).fit(_finite(inputs))
    return lambda rows: found.predict(_finite(rows)).astype(np.int64)


def quintiles(inputs: Inputs, k: int, places: Sequence[int]) -> Assign:
    """Recency (less is better), frequency, monetary value, each scored 1 to 5; their sum cut into k equal groups."""
    edges = [np.quantile(np.nan_to_num(inputs[:, place]), FIFTHS) for place in places]

    def score(rows: Inputs) -> NDArray[np.float64]:
        each = [
            np.searchsorted(edge, np.nan_to_num(rows[:, p]), side="left") for edge, p in zip(edges, places, strict=True)
        ]
        # within a sum, who spent more comes first
        return (4 - each[0]) + each[1] + each[2] + np.tanh(np.nan_to_num(rows[:, places[2]]) / 1e6) / 2

    cuts = np.quantile(score(inputs), np.arange(1, k) / k)
    return lambda rows: np.searchsorted(cuts, score(rows), side="left").astype(np.int64)


def _finite(inputs: Inputs) -> NDArray[np.float64]:
    return np.where(np.isfinite(inputs), inputs, np.nan).astype(np.float64)
