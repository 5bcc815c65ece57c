"""What methods that rank items share: a state from a log, and from that the score of every item for histories.

Most of them link items to items: what a customer had leads to what comes next, and the latest leads most.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from sqlml.logs import Log
from sqlml.methods.base import Weights, one, silent
from sqlml.options import ModelOptions
from sqlml.training import Watch

Scores = NDArray[np.float32]
Matrix: TypeAlias = Any
"""Items by items, or customers by items: an array, or a compressed sparse one."""
DECAY = "decay"
DECAYS = (1.0, 0.9, 0.8, 0.7, 0.5, 0.3)
"""How much less the event before counts than the one after it: what validation chooses from."""
LINKS = 100
"""Links kept of an item: the strongest."""
MOST_DENSE = 20_000
"""Items up to which a method may hold a dense matrix of items by items: 1.6 GB of float32 each."""


class Ranker(Protocol):
    """One way to rank items."""

    @property
    def decays(self) -> tuple[float, ...]:
        """What `weights["decay"]` may be: validation chooses. Empty: the method has none."""
        ...

    @property
    def is_dense(self) -> bool:
        """Whether it holds a matrix of items by items, which is for no more than MOST_DENSE."""
        ...

    def fit(self, log: Log, options: ModelOptions, watch: Watch = silent) -> Weights:
        """Learn from all customers."""
        ...

    def scores(self, weights: Weights, log: Log) -> Matrix:
        """The score of every item after each history: (customers, items)."""
        ...


@dataclass(frozen=True)
class Links:
    """Items lead to items.

    Attributes:
        learn: Log → how strongly the item of a row leads to that of a column, (items, items).
        decays: See `Ranker`.
        is_dense: See `Ranker`.
    """

    learn: Callable[[Log], Matrix]
    decays: tuple[float, ...] = DECAYS
    is_dense: bool = False

    def fit(self, log: Log, options: ModelOptions, watch: Watch = silent) -> Weights:
        """Learn, and keep the strongest links."""
        found = strongest(self.learn(log), LINKS)
        watch(1, 1, float("nan"))
        return {**found, DECAY: one(1)}

    def scores(self, weights: Weights, log: Log) -> Matrix:
        """Links of the history, weighted by how late in it an item stands."""
        history = log.matrix(log.weights * weights[DECAY].item() ** log.moments_later.astype(np.float32))
        return history @ links(weights, log.n_items)


def links(weights: Weights, n_items: int) -> scipy.sparse.csr_array:
    """The links as they are stored, (items, items)."""
    stored = (weights["values"], weights["items"], weights["starts"])
    return scipy.sparse.csr_array(stored, shape=(n_items, n_items))


def strongest(matrix: Matrix, most: int) -> Weights:
    """Of each row the entries that are furthest from 0, as a compressed sparse matrix."""
    places, values = zip(*(_row(matrix, i, most) for i in range(matrix.shape[0])), strict=True)
    starts = np.concatenate([[0], np.cumsum([len(each) for each in places])])
    return {
        "starts": starts.astype(np.int32),
        "items": np.concatenate(places).astype(np.int32),
        "values": np.concatenate(values).astype(np.float32),
    }


def _row(matrix: Matrix, i: int, most: int) -> tuple[NDArray[np.integer], Scores]:
    if isinstance(matrix, np.ndarray):
        places, values = np.arange(matrix.shape[1]), matrix[i]
    else:
        part = slice(matrix.indptr[i], matrix.indptr[i + 1])
        places, values = matrix.indices[part], matrix.data[part]
    if len(values) > most:
        kept = np.sort(np.argpartition(-np.abs(values), most)[:most])
        places, values = places[kept], values[kept]
    return places, values


def together(log: Log, kernel: Callable[[int, NDArray[np.int64]], NDArray[np.float32]], span: int) -> Matrix:
    """How often one item is followed by another, (items, items).

    Args:
        log: Histories.
        kernel: (distance, how many events come after the second) → what each pair of events counts.
        span: The longest distance in events.
    """
    total = scipy.sparse.csr_array((log.n_items, log.n_items), dtype=np.float32)
    for distance in range(1, min(span, int(log.lengths.max(initial=1)) - 1) + 1):
        is_first = log.later >= distance
        first = np.flatnonzero(is_first)
        second = first + distance
        counts = kernel(distance, log.later[second]) * log.weights[first] * log.weights[second]
        pairs = scipy.sparse.coo_array(
            (counts.astype(np.float32), (log.items[first], log.items[second])), shape=total.shape
        )
        total += pairs.tocsr()
    return total
