"""EASE: the ridge regression of every item on all others, in closed form (Steck 2019)."""

from __future__ import annotations

import numpy as np
import scipy

from sqlml.logs import Log
from sqlml.methods.ranking import Links, Matrix

PENALTY = 100.0


def _learn(log: Log) -> Matrix:
    gram = np.asarray((log.seen.T @ log.seen).todense(), np.float32)
    gram[np.diag_indices_from(gram)] += PENALTY
    factor = scipy.linalg.cho_factor(gram, lower=True, overwrite_a=True, check_finite=False)
    unit = np.eye(log.n_items, dtype=np.float32, order="F")
    found = scipy.linalg.cho_solve(factor, unit, overwrite_b=True, check_finite=False)
    found /= -np.diag(found).copy()
    np.fill_diagonal(found, 0)
    return found


METHOD = Links(_learn, is_dense=True)
