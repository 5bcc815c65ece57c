"""Recommenders of the library implicit, which do not see the order of a history."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from implicit.bpr import BayesianPersonalizedRanking
from implicit.cpu.als import AlternatingLeastSquares
from implicit.nearest_neighbours import BM25Recommender, CosineRecommender
from numpy.typing import NDArray

from benchmarks.peers.recommenders import Histories, Lists, Peer


class Implicit:
    """A model of implicit as a peer."""

    def __init__(self, model: Any) -> None:  # noqa: ANN401  implicit has no types
        self.model = model

    def fit(self, known: Histories) -> None:
        """Learn from how often each customer had each item."""
        self.model.fit(known.counts, show_progress=False)

    def best(self, asked: Histories, n: int, *, rows: NDArray[np.int64] | None, is_repeat: bool) -> Lists:
        """The n best items of each history."""
        is_folded_in = rows is None and isinstance(self.model, AlternatingLeastSquares)
        customers = np.arange(asked.shape[0]) if rows is None else rows
        items, _ = self.model.recommend(customers, asked.counts, N=n, filter_already_liked_items=not is_repeat,
                                        **({"recalculate_user": True} if is_folded_in else {}))  # fmt: skip
        return np.asarray(items, np.int64)


def _als(factors: int, penalty: float, alpha: float) -> Implicit:
    return Implicit(
        AlternatingLeastSquares(factors, regularization=penalty, alpha=alpha, iterations=15, random_state=0)
    )


def _bpr(rate: float) -> Implicit:
    return Implicit(BayesianPersonalizedRanking(100, learning_rate=rate, iterations=100, random_state=0))


def _nearest(kind: type, k: int) -> Implicit:
    return Implicit(kind(k))


PEERS: Mapping[str, Peer] = {
    "implicit ALS": Peer(
        (
            partial(_als, 64, 0.05, 1.0),
            partial(_als, 128, 0.05, 1.0),
            partial(_als, 64, 0.05, 10.0),
            partial(_als, 128, 0.5, 5.0),
        )
    ),
    "implicit BPR": Peer((partial(_bpr, 0.01), partial(_bpr, 0.05)), is_of_known=True),
    "implicit item-item": Peer(
        tuple(partial(_nearest, kind, k) for k in (50, 200) for kind in (CosineRecommender, BM25Recommender))
    ),
}
