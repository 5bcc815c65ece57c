"""What customers did with items, as arrays: what recommenders learn from and are asked about."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import scipy
from numpy.typing import NDArray


@dataclass(frozen=True)
class Log:
    """Events with items, one customer after another, each in the order of time.

    Attributes:
        starts: Where the events of each customer begin, and where the last one's end: (customers + 1,).
        items: Codes from 0, (events,).
        weights: What each event counts, (events,).
        ages: How many days before the moment that is asked about it happened, (events,).
        n_items: How many items there are.
        words: How much each word that is said of items tells of one, (words, items); None: nothing is said of them.
    """

    starts: NDArray[np.int64]
    items: NDArray[np.int32]
    weights: NDArray[np.float32]
    ages: NDArray[np.float64]
    n_items: int
    words: scipy.sparse.csr_array | None = None

    def __len__(self) -> int:
        """How many customers there are."""
        return len(self.starts) - 1

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """Events of each customer, (customers,)."""
        return np.diff(self.starts)

    @cached_property
    def customers(self) -> NDArray[np.int64]:
        """Whose each event is, (events,)."""
        return np.repeat(np.arange(len(self)), self.lengths)

    @cached_property
    def later(self) -> NDArray[np.int64]:
        """How many events of the same customer come after each, (events,)."""
        return np.repeat(self.starts[1:], self.lengths) - 1 - np.arange(len(self.items))

    @cached_property
    def moments_later(self) -> NDArray[np.int64]:
        """How many later moments the same customer has after each event: those of one basket stand equal, (events,)."""
        if not len(self.items):
            return np.zeros(0, np.int64)
        is_new = np.concatenate([[True], (np.diff(self.ages) != 0) | (np.diff(self.customers) != 0)])
        moments = np.cumsum(is_new)
        return moments[np.repeat(self.starts[1:] - 1, self.lengths)] - moments

    def matrix(self, values: NDArray[np.float32]) -> scipy.sparse.csr_array:
        """The sum of `values` (events,) of each customer and item: (customers, items)."""
        shape = (len(self), self.n_items)
        found = scipy.sparse.csr_array((values, self.items, self.starts), shape=shape, copy=True)
        found.sum_duplicates()  # in place
        return found

    @cached_property
    def seen(self) -> scipy.sparse.csr_array:
        """1 where a customer had anything to do with an item: (customers, items)."""
        found = self.matrix(np.ones(len(self.items), np.float32))
        found.data[:] = 1
        return found

    def where(self, is_kept: NDArray[np.bool_]) -> Log:
        """The events of which `is_kept` (events,) is true; every customer stays."""
        kept = np.concatenate([[0], np.cumsum(is_kept)])
        return replace(
            self,
            starts=kept[self.starts],
            items=self.items[is_kept],
            weights=self.weights[is_kept],
            ages=self.ages[is_kept],
        )

    def of(self, customers: NDArray[np.int64]) -> Log:
        """The events of some customers, in this order."""
        lengths = self.lengths[customers]
        starts = np.concatenate([[0], np.cumsum(lengths)])
        places = np.repeat(self.starts[customers] - starts[:-1], lengths) + np.arange(starts[-1])
        return replace(
            self, starts=starts, items=self.items[places], weights=self.weights[places], ages=self.ages[places]
        )

    def without_last(self) -> tuple[Log, Log]:
        """What came before the last step of each customer, and that step: all events of the last moment.

        The ages stay those before the moment of the whole log. Who has one step alone keeps it, and has no last one.
        """
        newest = self.ages[np.repeat(self.starts[1:] - 1, self.lengths)]
        is_last = self.ages <= newest
        has_more = np.bincount(self.customers, ~is_last, minlength=len(self)) > 0
        is_last &= np.repeat(has_more, self.lengths)
        return self.where(~is_last), self.where(is_last)
