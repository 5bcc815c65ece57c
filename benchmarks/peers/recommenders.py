"""Peers that recommend items: each takes histories as a sparse matrix and gives the best items of others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from implicit.bpr import BayesianPersonalizedRanking
from implicit.cpu.als import AlternatingLeastSquares
from implicit.nearest_neighbours import BM25Recommender, CosineRecommender
from numpy.typing import NDArray

Histories: TypeAlias = Any
"""A sparse matrix (customers, items) of how often each had each."""
Lists = NDArray[np.int64]
"""Items (customers, n), best first; -1 where there are no more."""
Recommend = Callable[[Histories, int], Lists]
POPULAR = "popularity (floor)"


@dataclass(frozen=True)
class Peer:
    """What can be fitted; each of its recipes is tried on the last step of the training histories.

    `is_of_known` means that it knows only the customers that it was fitted to.
    """

    recipes: tuple[Callable[[], object], ...]
    is_of_known: bool = False


def _als(factors: int, penalty: float, alpha: float) -> object:
    return AlternatingLeastSquares(factors, regularization=penalty, alpha=alpha, iterations=15, random_state=0)


def _bpr(rate: float) -> object:
    return BayesianPersonalizedRanking(100, learning_rate=rate, iterations=100, random_state=0)


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
        tuple(partial(kind, k) for k in (50, 200) for kind in (CosineRecommender, BM25Recommender))
    ),
}


def fit(model: object, histories: Histories) -> None:
    """Fit a recipe to histories (customers, items)."""
    model.fit(histories, show_progress=False)  # type: ignore[attr-defined]


def best(model: object, histories: Histories, n: int, *, is_new: bool, is_repeat: bool) -> Lists:
    """The n best items of each history; `is_new` customers were not fitted to."""
    more = {"recalculate_user": True} if is_new and isinstance(model, AlternatingLeastSquares) else {}
    customers = np.arange(histories.shape[0])
    items, _ = model.recommend(  # type: ignore[attr-defined]
        customers, histories, N=n, filter_already_liked_items=not is_repeat, **more
    )
    return np.asarray(items, np.int64)


def popular(counts: NDArray[np.float64], histories: Histories, n: int) -> Lists:
    """The same for everybody, without what they had."""
    most = int(np.diff(histories.indptr).max(initial=0))
    order = np.argsort(-counts, kind="stable")[: n + most]
    rows = []
    for start, end in zip(histories.indptr, histories.indptr[1:], strict=False):
        had = histories.indices[start:end]
        rows.append(np.resize(order[~np.isin(order, had)], n))
    return np.array(rows, np.int64)
