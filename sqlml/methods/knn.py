"""Item-item nearest neighbours: the cosine of who had two items, shrunk where few had (Sarwar et al. 2001)."""

from __future__ import annotations

import numpy as np
import scipy.sparse

from sqlml.logs import Log
from sqlml.methods.ranking import Links, Matrix

SHRINKAGE = 10.0
MOST_SEEN, MOST_PAIRS = (500, 250, 120, 60, 30), 2e8
"""Of a longer history the latest so many events count, the first number with which there are no more pairs of items."""


def _learn(log: Log) -> Matrix:
    had = log.where(log.later < _most_seen(log)).seen
    both = (had.T @ had).tocoo()
    counts = had.sum(0)
    is_other = both.row != both.col
    row, column, shared = both.row[is_other], both.col[is_other], both.data[is_other]
    cosine = shared / (np.sqrt(counts[row] * counts[column]) + SHRINKAGE)
    return scipy.sparse.csr_array((cosine.astype(np.float32), (row, column)), shape=both.shape)


def _most_seen(log: Log) -> int:
    pairs = ((np.minimum(log.lengths, most).astype(float) ** 2).sum() for most in MOST_SEEN)
    return next((most for most, n in zip(MOST_SEEN, pairs, strict=True) if n <= MOST_PAIRS), MOST_SEEN[-1])


METHOD = Links(_learn)
