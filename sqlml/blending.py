"""What each method of a blend counts, and which methods it can do without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import scipy
from numpy.typing import NDArray

AT = 10
"""The gain is of so many places."""
FEWEST = 2
"""Methods of a blend."""
LEAST_GAIN = 0.01
"""What a method, and a blend at all, must be worth: this share of the NDCG."""


@dataclass(frozen=True)
class Examples:
    """Customers whose next step is among the best items of some method, and those items.

    Attributes:
        customers: Which customers, (customers,).
        starts: Where the items of each begin, (customers,).
        scores: (items, methods).
        is_true: Which items came true, (items,).
        ideals: The most that could be gained, (customers,).
    """

    customers: NDArray[np.int64]
    starts: NDArray[np.int64]
    scores: NDArray[np.float32]
    is_true: NDArray[np.bool_]
    ideals: NDArray[np.float64]

    @cached_property
    def owners(self) -> NDArray[np.int64]:
        """Whose each item is, (items,)."""
        return np.repeat(np.arange(len(self.starts)), np.diff(np.append(self.starts, len(self.scores))))

    def by(self, methods: Sequence[int]) -> Examples:
        """The scores of some methods alone."""
        return replace(self, scores=np.ascontiguousarray(self.scores[:, methods]))

    def where(self, is_kept: NDArray[np.bool_]) -> Examples:
        """Those customers alone of whom `is_kept` (customers,) is true."""
        items = is_kept[self.owners]
        lengths = np.bincount(self.owners, minlength=len(self.starts))[is_kept]
        starts = np.cumsum(lengths) - lengths
        return Examples(self.customers[is_kept], starts, self.scores[items], self.is_true[items], self.ideals[is_kept])


def ideal(n: int) -> float:
    """The gain where all of so many items stand first."""
    return float(gain(np.arange(1, n + 1)).sum())


def gain(ranks: NDArray[np.integer]) -> NDArray[np.float64]:
    """What items at these ranks gain (Järvelin & Kekäläinen 2002)."""
    return np.where(ranks <= AT, 1 / np.log2(np.minimum(ranks, AT) + 1.0), 0.0)


def blended(methods: Sequence[str], examples: Examples) -> tuple[dict[str, float], NDArray[np.float64]]:
    """What each method counts, and the gains of customers by what was fitted to the other half of them.

    The method that is missed least is left out, again and again, while next to nothing is lost.
    """
    kept = list(range(len(methods)))
    gains = _cross_fitted(examples)
    most = gains.sum()
    while len(kept) > FEWEST:
        fewer = [[each for each in kept if each != left] for left in kept]
        found = [_cross_fitted(examples.by(each)) for each in fewer]
        best = int(np.argmax([each.sum() for each in found]))
        if found[best].sum() < (1 - LEAST_GAIN) * most:
            break
        kept, gains, most = fewer[best], found[best], max(most, found[best].sum())
    shares = _shares(examples.by(kept))
    return {methods[each]: float(share) for each, share in zip(kept, shares, strict=True) if share > 0}, gains


def _cross_fitted(examples: Examples) -> NDArray[np.float64]:
    """The NDCG of each customer, by shares that were fitted to every other one."""
    gains = np.zeros(len(examples.starts))
    for half in range(2):
        is_own = examples.customers % 2 == half
        gains[is_own] = _gains(examples.where(is_own), _shares(examples.where(~is_own)))
    return gains


def _gains(examples: Examples, shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """The NDCG of each customer; among equals what came true stands last."""
    link = examples.scores @ shares
    order = np.lexsort((examples.is_true, -link, examples.owners))
    ranks = np.arange(1, len(order) + 1) - examples.starts[examples.owners]
    is_true = examples.is_true[order]
    return np.bincount(examples.owners[is_true], gain(ranks[is_true]), len(examples.starts)) / examples.ideals


def _shares(examples: Examples) -> NDArray[np.float64]:
    """What each method counts, (methods,), 1 together: by the multinomial likelihood of what came true."""
    n = examples.scores.shape[1]
    if not len(examples.starts):
        return np.full(n, 1 / n)
    lengths = np.bincount(examples.owners)

    def chances(link: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The softmax of each customer's items, and the logarithm of its denominator."""
        most = np.maximum.reduceat(link, examples.starts)
        found = np.exp(link - np.repeat(most, lengths))
        total = np.add.reduceat(found, examples.starts)
        return found / np.repeat(total, lengths), most + np.log(total)

    def loss(shares: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        link = examples.scores @ shares
        expected, of_all = chances(link)
        came, of_true = chances(np.where(examples.is_true, link, -np.inf))
        return float(np.mean(of_all - of_true)), examples.scores.T @ (expected - came) / len(of_all)

    found = scipy.optimize.minimize(loss, np.full(n, 0.1), jac=True, method="L-BFGS-B", bounds=[(0, None)] * n).x
    return np.asarray(found / found.sum() if found.any() else np.full(n, 1 / n))
