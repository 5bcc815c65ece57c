"""EASE (Steck 2019, arXiv 1905.03375): a linear model of items on items in closed form."""

from __future__ import annotations

from functools import partial

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from scipy.linalg import lapack
from threadpoolctl import threadpool_limits

from benchmarks.peers.recommenders import Histories, Lists, Peer, top
from benchmarks.peers.search import THREADS

BLOCK = 1_000


class Ease:
    """Ridge regression of each item on all others; `decay` weighs the steps of the history that is asked about."""

    def __init__(self, penalty: float, decay: float) -> None:
        self.penalty, self.decay = penalty, decay

    def fit(self, known: Histories) -> None:
        """Invert the regularised counts of pairs of items, (items, items), of items that anybody had."""
        self.items = np.unique(known.items)
        had = (known.counts[:, self.items] > 0).astype(np.float32)
        pairs = (had.T @ had).toarray()
        pairs[np.diag_indices_from(pairs)] += self.penalty
        with threadpool_limits(THREADS, user_api="blas"):
            factor, _ = lapack.spotrf(pairs, lower=True, overwrite_a=True)
            inverse, _ = lapack.spotri(factor, lower=True, overwrite_c=True)
        inverse = np.tril(inverse) + np.tril(inverse, -1).T
        self.weights = inverse / -np.diag(inverse)
        np.fill_diagonal(self.weights, 0.0)

    def best(self, asked: Histories, n: int, *, rows: NDArray[np.int64] | None, is_repeat: bool) -> Lists:
        """The n best items of each history."""
        query, had = self._query(asked)[:, self.items].tocsr(), asked.counts[:, self.items]
        found = []
        for start in range(0, asked.shape[0], BLOCK):
            block = slice(start, start + BLOCK)
            scores = np.asarray(query[block] @ self.weights)
            if not is_repeat:
                scores[had[block].nonzero()] = -np.inf
            found.append(top(scores, n))
        places = np.concatenate(found)
        return np.where(places >= 0, self.items[places], -1)

    def _query(self, asked: Histories) -> scipy.sparse.csr_matrix:
        ages = asked.starts[asked.customers + 1] - 1 - np.arange(len(asked.items))
        weights = (self.decay**ages).astype(np.float32)
        return scipy.sparse.csr_matrix((weights, (asked.customers, asked.items)), shape=asked.shape)


PEER = Peer(
    tuple(partial(Ease, penalty, decay) for penalty in (100.0, 500.0) for decay in (1.0, 0.9)), tuned_items=3_000
)
