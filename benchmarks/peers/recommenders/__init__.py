"""Peers that recommend items, one a file: a model is fitted to histories and gives the best items of others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

Lists = NDArray[np.int64]
"""Items (customers, n), best first; -1 where there are no more."""
POPULAR = "popularity (floor)"


@dataclass(frozen=True)
class Histories:
    """Steps (n,) of customers, ordered by customer and then by time: the customer and the item of each.

    `shape` has the numbers of customers and of items; both are numbered from 0.
    """

    customers: NDArray[np.int64]
    items: NDArray[np.int64]
    shape: tuple[int, int]

    @cached_property
    def counts(self) -> Any:  # noqa: ANN401  scipy has no types
        """How often each customer had each item: a sparse matrix (customers, items)."""
        ones = np.ones(len(self.items), np.float32)
        return scipy.sparse.csr_matrix((ones, (self.customers, self.items)), shape=self.shape)

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """Where the steps of each customer begin, and where the last one's end."""
        return np.searchsorted(self.customers, np.arange(self.shape[0] + 1))

    def of(self, rows: NDArray[np.int64]) -> Histories:
        """The customers at these rows, in this order."""
        starts, lengths = self.starts[rows], np.diff(self.starts)[rows]
        ends = np.cumsum(lengths)
        steps = np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - ends + lengths, lengths)
        return Histories(np.repeat(np.arange(len(rows)), lengths), self.items[steps], (len(rows), self.shape[1]))

    def popular(self, n: int) -> Histories:
        """The steps at the n most frequent items; customers and items keep their numbers."""
        counts = np.bincount(self.items, minlength=self.shape[1])
        is_popular = np.zeros(self.shape[1], bool)
        is_popular[np.argsort(-counts, kind="stable")[:n]] = True
        kept = is_popular[self.items]
        return Histories(self.customers[kept], self.items[kept], self.shape)


class Model(Protocol):
    """A recipe of a peer."""

    def fit(self, known: Histories) -> None:
        """Learn from histories."""

    def best(self, asked: Histories, n: int, *, rows: NDArray[np.int64] | None, is_repeat: bool) -> Lists:
        """The n best items of each history, items that it has only with `is_repeat`.

        `rows` says which customers of the fit they are; None: it knew none of them.
        """


@dataclass(frozen=True)
class Peer:
    """What can be fitted; each of its recipes is tried on the last step of the training histories.

    `is_of_known` means that it knows only the customers that it was fitted to. `tuned_items` is the number of popular
    items that the recipes are compared on, where a fit to all of them takes long.
    """

    recipes: tuple[Callable[[], Model], ...]
    is_of_known: bool = False
    tuned_items: int | None = None


def top(scores: NDArray[np.float32], n: int) -> Lists:
    """The n best columns of each row of scores (customers, items); -1 for those that are not above -inf."""
    n = min(n, scores.shape[1])
    some = np.argpartition(-scores, n - 1, axis=1)[:, :n]
    found = np.take_along_axis(scores, some, axis=1)
    order = np.argsort(-found, axis=1, kind="stable")
    best = np.take_along_axis(some, order, axis=1)
    return np.where(np.take_along_axis(found, order, axis=1) > -np.inf, best, -1)


def popular(known: Histories, asked: Histories, n: int) -> Lists:
    """The same for everybody, without what they had."""
    counts = asked.counts
    most = int(np.diff(counts.indptr).max(initial=0))
    order = np.argsort(-np.bincount(known.items, minlength=known.shape[1]), kind="stable")[: n + most]
    rows = []
    for start, end in zip(counts.indptr, counts.indptr[1:], strict=False):
        had = counts.indices[start:end]
        rows.append(np.resize(order[~np.isin(order, had)], n))
    return np.array(rows, np.int64)
