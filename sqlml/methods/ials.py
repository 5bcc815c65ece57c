"""iALS: factors of customers and items by alternating least squares on implicit feedback.

With the regularisation scaled by frequency (Hu, Koren & Volinsky 2008; Rendle et al. 2022). A customer's factors are
solved for when they are asked about, from what they had by then.
"""

from __future__ import annotations

import jax
import jax.scipy.sparse.linalg
import numpy as np
import scipy
from numpy.typing import NDArray

from sqlml.logs import Log
from sqlml.methods.base import Weights, one, silent
from sqlml.methods.ranking import DECAY, Points, Scorer, decayed, points
from sqlml.options import ModelOptions
from sqlml.training import Watch

FACTORS, SWEEPS = 64, 12
UNOBSERVED, PENALTY = 0.1, 0.003
"""What a pair that was not seen counts; the penalty for each one that was."""
TOLERANCE, STEPS, STEPS_ON = 1e-5, 32, 3
"""When the conjugate gradients of a row end, and after how many steps from its point of the sweep before (Takács,
Pilászy & Tikk 2011)."""
MOST_SEEN, CHUNK_EVENTS, SMALLEST, GROWTH, MOST_ROWS = 4096, 1 << 16, 16, 4, 512
"""Of a row so many entries; entries and rows that are solved for at once; rows are padded to so many, or to so many
times as many, and so on."""
DECAYS = (1.0, 0.95, 0.9, 0.8)


class Factors:
    """Customers and items as points."""

    decays = DECAYS
    is_dense = False
    least_events: float = 0

    def fit(self, log: Log, options: ModelOptions, watch: Watch = silent, start: Weights | None = None) -> Weights:
        """Alternate between customers and items."""
        seen = log.seen
        by_item = scipy.sparse.csr_array(seen.T)
        rng = np.random.default_rng(options.seed)
        items = (rng.normal(size=(log.n_items, FACTORS)) / FACTORS).astype(np.float32)
        customers = np.zeros((len(log), FACTORS), np.float32)
        for sweep in range(SWEEPS):
            customers = _solved(seen, _ready(items), customers, STEPS_ON)
            items = _solved(by_item, _ready(customers), items, STEPS_ON)
            watch(sweep + 1, SWEEPS, float("nan"))
        return {"factors": items, DECAY: one(1)}

    def scorer(self, weights: Weights, n_items: int) -> Scorer:
        """How near every item is to the customer's point."""
        items, decay = weights["factors"], weights[DECAY].item()
        scores, others = points(items), _ready(items)

        def nearest(log: Log) -> Points:
            start = np.zeros((len(log), FACTORS), np.float32)
            return scores(_solved(log.matrix(decayed(log, decay)), others, start, STEPS))

        return nearest


def _ready(others: NDArray[np.float32]) -> tuple[jax.Array, jax.Array]:
    """Factors with a row of 0 for what is not there, and the products of all with all, where they are computed with."""
    padded = np.concatenate([others, np.zeros((1, others.shape[1]), np.float32)])
    return jax.device_put(padded), jax.device_put(UNOBSERVED * others.T @ others)


def _solved(
    seen: scipy.sparse.csr_array, others: tuple[jax.Array, jax.Array], starts: NDArray[np.float32], steps: int
) -> NDArray[np.float32]:
    """The factors of each row, given those of its columns, (rows, factors), in so many steps from `starts`."""
    lengths = np.minimum(np.diff(seen.indptr), MOST_SEEN)
    found = np.zeros_like(starts)
    size = SMALLEST
    while size <= MOST_SEEN:
        rows = np.flatnonzero((lengths > size // GROWTH * (size > SMALLEST)) & (lengths <= size))
        most = min(max(CHUNK_EVENTS // size, 1), MOST_ROWS)
        for start in range(0, len(rows), most):
            part = rows[start : start + most]
            n = most if len(part) > most // SMALLEST else max(most // SMALLEST, 1)
            places, values = _padded(seen, part, size, n, seen.shape[1])
            begun = np.zeros((n, starts.shape[1]), np.float32)
            begun[: len(part)] = starts[part]
            found[part] = np.asarray(_solve(*others, places, values, begun, steps))[: len(part)]
        size *= GROWTH
    return found


def _padded(
    seen: scipy.sparse.csr_array, rows: NDArray[np.int64], size: int, n: int, nothing: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Columns and values of some rows, (n, size), `nothing` and 0 where a row has no more.

    A longer row is thinned evenly, what is left standing for all.
    """
    length = np.diff(seen.indptr)[rows][:, None]
    taken, step = np.minimum(length, size), np.arange(size)
    is_there = step < taken
    offsets = seen.indptr[rows][:, None] + np.where(is_there, step * length // np.maximum(taken, 1), 0)
    offsets = np.minimum(offsets, len(seen.indices) - 1)
    places, values = np.full((n, size), nothing, np.int32), np.zeros((n, size), np.float32)
    places[: len(rows)] = np.where(is_there, seen.indices[offsets], nothing)
    values[: len(rows)] = np.where(is_there, seen.data[offsets] * (length / np.maximum(taken, 1)), 0)
    return places, values


@jax.jit
def _solve(
    others: jax.Array, gram: jax.Array, places: jax.Array, values: jax.Array, starts: jax.Array, steps: jax.Array
) -> jax.Array:
    """By conjugate gradients: LAPACK inside of XLA does not stand being called from two threads."""

    def one(had: jax.Array, value: jax.Array, start: jax.Array) -> jax.Array:
        penalty = PENALTY * (value.sum() + UNOBSERVED * (len(others) - 1))

        def applied(point: jax.Array) -> jax.Array:
            return had.T @ (value * (had @ point)) + gram @ point + penalty * point

        return jax.scipy.sparse.linalg.cg(applied, had.T @ value, start, tol=TOLERANCE, maxiter=steps)[0]  # type: ignore[no-untyped-call]

    return jax.vmap(one)(others[places], values, starts)


METHOD = Factors()
