"""Paired bootstrap over customers of the difference between two methods."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.005
"""A difference up to this, in an interval around zero, is called level."""
LEVEL_SHARE = 0.02
"""The same for metrics of amounts, as a share of the peer's; for a bias, of the total."""


def auc_draws(
    labels: NDArray[np.float32], scores: NDArray[np.float64], draws: int, seed: int = 0
) -> NDArray[np.float64]:
    """AUCs (draws,) of resampled rows (n,); the same seed draws the same rows, so differences are paired."""
    order, starts = _ties(scores)
    is_positive = labels[order] > 0
    return np.array([_auc(counts[order], is_positive, starts) for counts in _resampled(len(labels), draws, seed)])


def gini_draws(
    labels: NDArray[np.float64], scores: NDArray[np.float64], draws: int, seed: int = 0
) -> NDArray[np.float64]:
    """Normalized Ginis (draws,) of resampled amounts (n,), paired like AUCs; of equal scores any may come first."""
    ranked, best = _ties(-scores), _ties(-labels)
    return np.array(
        [
            _captured(counts, labels, *ranked) / _captured(counts, labels, *best)
            for counts in _resampled(len(labels), draws, seed)
        ]
    )


def rmse_draws(
    labels: NDArray[np.float64], scores: NDArray[np.float64], draws: int, seed: int = 0
) -> NDArray[np.float64]:
    """Root mean squared errors (draws,) of resampled amounts (n,), paired like AUCs."""
    errors = (labels - scores) ** 2 / len(labels)
    return np.sqrt([counts @ errors for counts in _resampled(len(labels), draws, seed)])


def bias_draws(
    labels: NDArray[np.float64], scores: NDArray[np.float64], draws: int, seed: int = 0
) -> NDArray[np.float64]:
    """Distances (draws,) of the predicted total from the true one, as shares of it, of resampled amounts (n,)."""
    totals = np.stack([labels, scores], 1)
    drawn = np.array([counts @ totals for counts in _resampled(len(labels), draws, seed)])
    return np.abs(drawn[:, 1] / drawn[:, 0] - 1)


def interval(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> tuple[float, float]:
    """The middle 95 % of the paired differences."""
    low, high = np.quantile(ours - theirs, [0.025, 0.975])
    return float(low), float(high)


def mean_interval(
    differences: NDArray[np.float64], draws: int, groups: NDArray[np.generic] | None = None, seed: int = 0
) -> tuple[float, float]:
    """The middle 95 % of the means of resampled paired differences (n,); those of a group are drawn together."""
    rng = np.random.default_rng(seed)
    _, places = np.unique(np.arange(len(differences)) if groups is None else groups, return_inverse=True)
    sums, sizes = np.bincount(places, differences), np.bincount(places)
    chosen = (rng.integers(0, len(sums), len(sums)) for _ in range(draws))
    low, high = np.quantile([sums[drawn].sum() / sizes[drawn].sum() for drawn in chosen], [0.025, 0.975])
    return float(low), float(high)


def verdict(difference: float, low: float, high: float, level: float = LEVEL) -> str:
    """beats, behind, level or undecided."""
    if low > 0:
        return "beats"
    if high < 0:
        return "behind"
    return "level" if abs(difference) <= level else "undecided"


def _resampled(n: int, draws: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """How often each of n rows is drawn."""
    rng = np.random.default_rng(seed)
    return (np.bincount(rng.integers(0, n, n), minlength=n) for _ in range(draws))


def _ties(values: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The order of values (n,), lowest first, and the places in it where another value begins."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    return order, np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])


def _captured(
    counts: NDArray[np.int64], labels: NDArray[np.float64], order: NDArray[np.int64], starts: NDArray[np.int64]
) -> float:
    """How early in the order the amounts come, 0 for any order; every row of a tie has the middle place of the tie."""
    sizes = np.add.reduceat(counts[order], starts)
    amounts = np.add.reduceat((counts * labels)[order], starts)
    return float(amounts @ (0.5 - (np.cumsum(sizes) - sizes / 2) / sizes.sum()))


def _auc(counts: NDArray[np.int64], is_positive: NDArray[np.bool_], starts: NDArray[np.int64]) -> float:
    positives = np.add.reduceat(np.where(is_positive, counts, 0), starts)
    negatives = np.add.reduceat(np.where(is_positive, 0, counts), starts)
    below = np.cumsum(negatives) - negatives / 2
    return float((positives * below).sum() / max(1, positives.sum() * negatives.sum()))
