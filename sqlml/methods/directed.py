"""Directed ridge: from the decayed past of every prefix of a history to its decayed future, in closed form.

With the past W and the future F of all prefixes, B = (WᵀW + λI)⁻¹ WᵀF. Both products are sums over pairs of events
that depend on their distance alone, so that no prefix is ever written out.
"""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import NDArray

from sqlml.logs import Log
from sqlml.methods.ranking import Links, Matrix, together

PAST, FUTURE = 0.9, 0.5
"""How much less an event counts than the one nearer to the end of the prefix."""
PENALTY = 100.0
LEAST = 0.01
"""Pairs that count less are left out."""


def _learn(log: Log) -> Matrix:
    span = int(np.log(LEAST) / np.log(PAST))
    gram = np.asarray(together(log, _of_past, span).todense(), np.float32)
    gram += gram.T
    own = log.weights**2 * _shared(log.later)
    gram[np.diag_indices_from(gram)] += np.bincount(log.items, own, minlength=log.n_items) + PENALTY * _unit(log)
    future = np.asarray(together(log, _of_future, span).todense(), np.float32)
    factor = scipy.linalg.cho_factor(gram, lower=True, overwrite_a=True, check_finite=False)
    return np.asarray(scipy.linalg.cho_solve(factor, future, overwrite_b=True, check_finite=False))


def _unit(log: Log) -> float:
    """What a pair of events counts on average: the penalty is one in numbers of events."""
    return float(np.mean(log.weights**2)) if len(log.weights) else 1.0


def _shared(later: NDArray[np.int64]) -> NDArray[np.float32]:
    """Over all prefixes that hold an event and have a future: what it counts, squared."""
    return ((1 - PAST ** (2.0 * later)) / (1 - PAST**2)).astype(np.float32)


def _of_past(distance: int, later: NDArray[np.int64]) -> NDArray[np.float32]:
    return (PAST**distance * _shared(later)).astype(np.float32)


def _of_future(distance: int, later: NDArray[np.int64]) -> NDArray[np.float32]:
    between = np.arange(distance)
    return np.full(len(later), (PAST**between * FUTURE ** (distance - 1.0 - between)).sum(), np.float32)


METHOD = Links(_learn, is_dense=True)
