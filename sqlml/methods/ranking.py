"""What methods that rank items share: a state from a log, and from that the score of every item for histories.

Most of them link items to items: what a customer had leads to what comes next, and the latest leads most.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import scipy
from numpy.typing import NDArray

from sqlml.logs import Log
from sqlml.methods.base import Weights, one, silent
from sqlml.options import ModelOptions
from sqlml.training import Watch

Scores = NDArray[np.float32]
Matrix: TypeAlias = Any
"""Items by items: an array, or a compressed sparse one."""
Sparse: TypeAlias = "scipy.sparse.csr_array"
DECAY = "decay"
DECAYS = (1.0, 0.9, 0.8, 0.7, 0.5, 0.3)
"""How much less the event before counts than the one after it: what validation chooses from."""
LINKS = 100
"""Links kept of an item: the strongest."""
MOST_DENSE = 20_000
"""Items up to which a method may hold a dense matrix of items by items: 1.6 GB of float32 each."""


@dataclass(frozen=True)
class Points:
    """Scores that are products: that of an item is its point times that of the history.

    Attributes:
        histories: (customers, width).
        items: (items, width).
        spread: The covariance of the items' points, (width, width).
    """

    histories: Scores
    items: Scores
    spread: Scores


Scorer = Callable[[Log], "Sparse | Points"]
"""Log → the score of every item after each history, (customers, items); what a sparse one leaves out is 0."""


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

    @property
    def least_events(self) -> float:
        """From how many events on it is tried where no method is asked for."""
        ...

    def fit(self, log: Log, options: ModelOptions, watch: Watch = silent, start: Weights | None = None) -> Weights:
        """Learn from all customers; a net goes on from `start`, what it has learnt from a part of their events."""
        ...

    def scorer(self, weights: Weights, n_items: int) -> Scorer:
        """The function of histories that the weights are, made ready to be called often and by many threads."""
        ...


@dataclass(frozen=True)
class Links:
    """Items lead to items.

    Attributes:
        learn: Log → how strongly the item of a row leads to that of a column, (items, items).
        decays: See `Ranker`.
        is_dense: See `Ranker`.
        least_events: See `Ranker`.
    """

    learn: Callable[[Log], Matrix]
    decays: tuple[float, ...] = DECAYS
    is_dense: bool = False
    least_events: float = 0

    def fit(self, log: Log, options: ModelOptions, watch: Watch = silent, start: Weights | None = None) -> Weights:
        """Learn, and keep the strongest links."""
        found = strongest(self.learn(log), LINKS)
        watch(1, 1, float("nan"))
        stored = {
            "starts": found.indptr.astype(np.int32),
            "items": found.indices.astype(np.int32),
            "values": found.data,
        }
        return {**stored, DECAY: one(1)}

    def scorer(self, weights: Weights, n_items: int) -> Scorer:
        """Links of the history, weighted by how late in it an item stands."""
        linked, decay = links(weights, n_items), weights[DECAY].item()
        return lambda log: log.matrix(log.weights * decayed(log, decay)) @ linked


def decayed(log: Log, decay: float) -> NDArray[np.float32]:
    """What each event counts by how many moments came after it, (events,)."""
    return np.power(np.float32(decay), log.moments_later.astype(np.float32))


def points(items: Scores) -> Callable[[Scores], Points]:
    """The points of histories → scores."""
    spread = np.atleast_2d(np.cov(items, rowvar=False, bias=True)).astype(np.float32)
    return lambda histories: Points(histories, items, spread)


def links(weights: Weights, n_items: int) -> Sparse:
    """The links as they are stored, (items, items)."""
    stored = (weights["values"], weights["items"], weights["starts"])
    return scipy.sparse.csr_array(stored, shape=(n_items, n_items))


def strongest(matrix: Matrix, most: int) -> Sparse:
    """Of each row the entries that are furthest from 0."""
    places, values = zip(*(_row(matrix, i, most) for i in range(matrix.shape[0])), strict=True)
    starts = np.concatenate([[0], np.cumsum([len(each) for each in places])])
    found = (np.concatenate(values).astype(np.float32), np.concatenate(places).astype(np.int32), starts)
    return scipy.sparse.csr_array(found, shape=matrix.shape)


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
