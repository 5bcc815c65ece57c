"""Peers that segment customers: each gives a function of inputs (n, columns)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.peers import lightgbm, search

Inputs = NDArray[np.float32]
Assign = Callable[[Inputs], NDArray[np.int64]]
FIFTHS = (0.2, 0.4, 0.6, 0.8)


@dataclass(frozen=True)
class Examples:
    """Inputs (n, columns) at earlier moments, what was spent after them (n,) in a whole horizon, how much each counts.

    The examples of a customer lie together and customers come in random order.
    """

    inputs: Inputs
    spend: NDArray[np.float32]
    weights: NDArray[np.float32]

    def tuned(self) -> tuple[search.Settings, int]:
        """The settings and the number of trees of LightGBM that forecast spend best."""
        return lightgbm.tuned(self.inputs, self.spend, "tweedie", self.weights)


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


def spend_groups(past: Examples, settings: search.Settings, trees: int, inputs: Inputs, k: int) -> Assign:
    """The forecasts of spend by LightGBM, cut where those of `inputs` fall into k groups of equal size."""
    predict = lightgbm.fit(past.inputs, past.spend, settings, trees, past.weights)
    cuts = np.quantile(predict(inputs), np.arange(1, k) / k)
    return lambda rows: np.searchsorted(cuts, predict(rows), side="left").astype(np.int64)


def _finite(inputs: Inputs) -> NDArray[np.float64]:
    return np.where(np.isfinite(inputs), inputs, np.nan).astype(np.float64)
