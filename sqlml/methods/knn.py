"""Item-item nearest neighbours: the cosine of who had two items, shrunk where few had (Sarwar et al. 2001)."""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import NDArray

from sqlml.logs import Log
from sqlml.methods.ranking import LINKS, Links, Matrix, Sparse, strongest

SHRINKAGE = 10.0
MOST_SEEN, MOST_PAIRS = (500, 250, 120, 60, 30), 2e8
"""Of a longer history the latest so many events count: the first number with which there are no more pairs of items, or
the last."""
BLOCK = 2048
"""Items that are compared with all others at once."""


def _learn(log: Log) -> Matrix:
    had = log.where(log.later < _most_seen(log)).seen
    counts = np.asarray(had.sum(0))
    by_item = scipy.sparse.csr_array(had.T)
    blocks = (by_item[start : start + BLOCK] @ had for start in range(0, log.n_items, BLOCK))
    cosines = (_cosine(both, counts, number * BLOCK) for number, both in enumerate(blocks))
    return scipy.sparse.vstack([strongest(cosine, LINKS) for cosine in cosines], "csr")


def _cosine(both: Sparse, counts: NDArray[np.float32], first: int) -> Sparse:
    """Of items from `first` on with all items, in the place of how many had both."""
    rows = first + np.repeat(np.arange(both.shape[0]), np.diff(both.indptr))
    scale = np.sqrt(counts[rows] * counts[both.indices]) + SHRINKAGE
    both.data = np.where(rows == both.indices, 0, both.data / scale).astype(np.float32)
    both.eliminate_zeros()
    return both


def _most_seen(log: Log) -> int:
    pairs = ((np.minimum(log.lengths, most).astype(float) ** 2).sum() for most in MOST_SEEN)
    return next((most for most, n in zip(MOST_SEEN, pairs, strict=True) if n <= MOST_PAIRS), MOST_SEEN[-1])


METHOD = Links(_learn)
