"""Paired bootstrap over customers of the difference between two AUCs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.005
"""A difference up to this, in an interval around zero, is called level."""


def auc_draws(
    labels: NDArray[np.float32], scores: NDArray[np.float64], draws: int, seed: int = 0
) -> NDArray[np.float64]:
    """AUCs (draws,) of resampled rows (n,); the same seed draws the same rows, so differences are paired."""
    rng, n = np.random.default_rng(seed), len(labels)
    order = np.argsort(scores, kind="stable")
    ordered = scores[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    is_positive = labels[order] > 0
    return np.array([_auc(np.bincount(rng.integers(0, n, n), minlength=n)[order], is_positive, starts)
                     for _ in range(draws)])  # fmt: skip


def interval(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> tuple[float, float]:
    """The middle 95 % of the paired differences."""
    low, high = np.quantile(ours - theirs, [0.025, 0.975])
    return float(low), float(high)


def mean_interval(differences: NDArray[np.float64], draws: int, seed: int = 0) -> tuple[float, float]:
    """The middle 95 % of the means of resampled paired differences (n,)."""
    rng, n = np.random.default_rng(seed), len(differences)
    means = [differences[rng.integers(0, n, n)].mean() for _ in range(draws)]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def verdict(difference: float, low: float, high: float, level: float = LEVEL) -> str:
    """beats, behind, level or undecided."""
    if low > 0:
        return "beats"
    if high < 0:
        return "behind"
    return "level" if abs(difference) <= level else "undecided"


def _auc(counts: NDArray[np.int64], is_positive: NDArray[np.bool_], starts: NDArray[np.int64]) -> float:
    positives = np.add.reduceat(np.where(is_positive, counts, 0), starts)
    negatives = np.add.reduceat(np.where(is_positive, 0, counts), starts)
    below = np.cumsum(negatives) - negatives / 2
    return float((positives * below).sum() / max(1, positives.sum() * negatives.sum()))
