"""EASE: the ridge regression of every item on all others, in closed form (Steck 2019)."""

from __future__ import annotations

import jax.numpy as jnp
import jax.scipy.linalg
import numpy as np

from sqlml.logs import Log
from sqlml.methods.ranking import Links, Matrix
from sqlml.options import ModelOptions

PENALTY = 100.0


def _learn(log: Log, options: ModelOptions) -> Matrix:
    gram = np.asarray((log.seen.T @ log.seen).todense(), np.float32)
    gram[np.diag_indices_from(gram)] += PENALTY
    factor = jax.scipy.linalg.cho_factor(jnp.asarray(gram), lower=True, overwrite_a=True)
    inverse = jax.scipy.linalg.cho_solve(factor, jnp.eye(log.n_items))
    found = np.array(-inverse / jnp.diag(inverse))
    np.fill_diagonal(found, 0)
    return found


METHOD = Links(_learn, is_dense=True)
