"""A segmentation beside its method: which is chosen and why, how well it does, and which number a segment has."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import scipy
from numpy.typing import NDArray

from sqlml import clustering
from sqlml.clustering import Labels
from sqlml.encoding import Arrays
from sqlml.errors import DataError, OptionError
from sqlml.methods import centers, kmeans, linear, rfm
from sqlml.methods.base import silent
from sqlml.methods.centers import Segmenter
from sqlml.options import ModelOptions
from sqlml.search import Trial
from sqlml.tasks import METHODS
from sqlml.training import Stage, together
from sqlml.transforms import Encoder

STABLE = 0.8
"""The adjusted Rand index between fits on resampled customers from which a segmentation counts as stable."""
DRAWS, MOST_CUSTOMERS = 6, 10_000
LEVEL = 0.05
OF_RFM = (None, len(rfm.NAMES))
"""What `k` may be where segments are the classic ones."""
FEWEST, MOST = 2, 8
"""How many segments are tried where `k` is not given."""


@dataclass(frozen=True)
class Figures:
    """How well a method does with k segments.

    Attributes:
        stability: Mean adjusted Rand index between fits on bootstrap samples of the customers.
        doubt: The standard error of that mean.
        separation: Of customers that were not in the sample: the mean share of the variance (η²) of later spend and of
            later orders that lies between segments. NaN where there is no later.
        silhouette: Of the segments in the space of standardised inputs.
        davies_bouldin: The same; less is better.
    """

    method: str
    k: int
    stability: float
    doubt: float
    separation: float
    silhouette: float
    davies_bouldin: float
    seconds: float

    @property
    def is_stable(self) -> bool:
        """Whether it would stay so with other samples: it is kept for customers who are still to come."""
        return self.stability - self.doubt >= STABLE

    @property
    def quality(self) -> float:
        """What is best among stable ones: separation of the future, or without one the silhouette."""
        return self.silhouette if np.isnan(self.separation) else self.separation


def choose(
    data: Arrays, encoder: Encoder, options: ModelOptions, methods: Sequence[str], stage: Stage
) -> tuple[ModelOptions, list[Figures]]:
    """The options with a method and a `k`, and what is known of all that were tried.

    Args:
        data: Examples with a number of their customer as the fold.
        encoder: Fitted on them.
        options: `method` may be auto, `k` None.
        methods: What auto tries.
        stage: Name of a part of the training → what to call as it goes on.
    """
    if options.method == "rfm" and options.k not in OF_RFM:
        raise OptionError(f"Method rfm has {len(rfm.NAMES)} segments of its own: leave out k, or take another method.")
    tried = methods if options.method == "auto" else (options.method,)
    tried = [method for method in tried if method != "rfm" or options.k in OF_RFM]
    jobs = [partial(figures, data, encoder, options, method) for method in tried]
    found = [each for one in together(jobs, stage) for each in one]
    if not found:
        raise DataError(
            f"Method {options.method} cannot tell two segments of at least {options.min_size} apart here. "
            "Another method, or a smaller min_size, may."
        )
    stable = [each for each in found if each.is_stable]
    best = _fewest(stable) if stable else max(found, key=lambda f: f.stability)
    return dataclasses.replace(options, method=best.method, k=best.k), found


def _fewest(found: Sequence[Figures]) -> Figures:
    """The fewest segments that are nearly as good as the best."""
    most = max(each.quality for each in found)
    level = [each for each in found if each.quality >= most - LEVEL * abs(most)]
    return min(level, key=lambda f: (f.k, -f.quality))


def trials(found: Sequence[Figures], chosen: ModelOptions) -> list[Trial]:
    """What was tried, as it is stored; the loss is what is left of 1 by the quality."""
    return [
        Trial(
            i,
            {"method": f.method, "k": f.k, "stability": round(f.stability, 3), "quality": round(f.quality, 3)},
            1 - f.quality,
            f.seconds,
            (f.method, f.k) == (chosen.method, chosen.k),
        )
        for i, f in enumerate(found, 1)
    ]


def segmenter(method: str) -> Segmenter:
    """The method of this name."""
    found = METHODS[method]
    if not isinstance(found, Segmenter):
        raise TypeError(f"{method} does not segment")
    return found


def figures(data: Arrays, encoder: Encoder, options: ModelOptions, method: str, stage: Stage) -> list[Figures]:
    """What is known of a method with each `k` that is asked for and that it can make."""
    started, how, watch = time.monotonic(), segmenter(method), stage(method)
    data = _fewer(data)
    ks = (len(rfm.NAMES),) if method == "rfm" else (options.k,) if options.k else range(FEWEST, MOST + 1)
    chosen = [dataclasses.replace(options, method=method, k=k) for k in ks]
    now, past = centers.segmented(data), _observed(data)
    drawn: list[list[tuple[Labels, float]]] = [[] for _ in chosen]
    for draw in range(DRAWS):
        counts = np.random.default_rng([options.seed, draw]).multinomial(data.folds.max() + 1, _chances(data))
        sample = data.at(np.repeat(np.arange(len(data.folds)), counts[data.folds]))
        seed = options.seed + draw
        space = how.learn(sample, encoder, dataclasses.replace(options, seed=seed), silent)
        others = past.where(counts[past.folds] == 0)
        for one, labels in zip(chosen, drawn, strict=True):
            weights = how.cluster(space, sample, encoder, dataclasses.replace(one, seed=seed), silent)
            apart = separation(how.segments(weights, encoder, others.inputs), others.labels)
            labels.append((how.segments(weights, encoder, now.inputs), apart))
        watch(draw + 1, DRAWS, float("nan"))
    seconds = (time.monotonic() - started) / len(chosen)
    rows, space, found = _space(data, encoder, now), how.learn(data, encoder, options, silent), []
    for one, labels in zip(chosen, drawn, strict=True):
        segments = how.segments(how.cluster(space, data, encoder, one, silent), encoder, now.inputs)
        made = len(np.unique(segments))
        if made == one.k or (made > 1 and (options.k is not None or method == "rfm")):
            apart = float(np.mean([apart for _, apart in labels]))
            found.append(Figures(
                method, int(one.k or 0), *_stability([each for each, _ in labels]), apart,
                clustering.silhouette(rows, segments), clustering.davies_bouldin(rows, segments), seconds,
            ))  # fmt: skip
    return found


def _chances(data: Arrays) -> NDArray[np.float64]:
    n = int(data.folds.max()) + 1
    return np.full(n, 1 / n)


def _fewer(data: Arrays) -> Arrays:
    """The examples of so many customers, evenly chosen, numbered anew."""
    n = int(data.folds.max()) + 1
    kept = np.unique(np.linspace(0, n - 1, min(n, MOST_CUSTOMERS)).astype(int))
    number = np.full(n, -1)
    number[kept] = np.arange(len(kept))
    found = data.where(number[data.folds] >= 0)
    return dataclasses.replace(found, folds=number[found.folds])


def _observed(data: Arrays) -> Arrays:
    """The rows of which as much of the future is known as of any; none where nothing is."""
    share = data.labels[:, 2]
    return data.where((share == share.max()) & (share > 0))


def _space(data: Arrays, encoder: Encoder, rows: Arrays) -> clustering.Points:
    known = linear.moments(data, encoder, is_raw=False)
    return centers.points(kmeans.embed, known, encoder, rows.inputs)


def _stability(drawn: Sequence[Labels]) -> tuple[float, float]:
    """The mean agreement of pairs, and its standard error by the jackknife over draws (Efron & Stein 1981)."""
    n = len(drawn)
    pairs = np.array([[clustering.agreement(one, other) for one in drawn] for other in drawn])
    sums = pairs.sum() - np.trace(pairs)
    without = (sums - 2 * (pairs.sum(0) - np.diag(pairs))) / ((n - 1) * (n - 2))
    return float(sums / (n * (n - 1))), float(np.sqrt((n - 1) * np.var(without)))


def separation(segments: Labels, labels: NDArray[np.float32]) -> float:
    """The mean share of the variance of spend and of orders (n, 2 or more) that lies between segments; NaN of none."""
    if not len(segments):
        return float("nan")
    members = np.eye(segments.max() + 1)[segments]
    values = labels[:, :2].astype(np.float64)
    means = (members.T @ values) / np.maximum(members.sum(0), 1)[:, None]
    within, total = ((values - means[segments]) ** 2).sum(0), ((values - values.mean(0)) ** 2).sum(0)
    return float(np.mean(np.where(total > 0, 1 - within / np.maximum(total, 1e-12), 0.0)))


def numbered(segments: Labels, worth: NDArray[np.float64], k: int, old: NDArray[np.int64] | None) -> tuple[int, ...]:
    """The number of each of the `k` segments.

    A segment keeps the number of the one it shares most rows with, over all together (Kuhn 1955), `old` (n,) being the
    numbers of the rows so far, 0 of none. New ones, and all where there are no old ones, are numbered by their worth.
    """
    means = [-worth[segments == i].mean() if np.any(segments == i) else np.inf for i in range(k)]
    found: dict[int, int] = {}
    levels = [] if old is None else [int(level) for level in np.unique(old) if level]
    if old is not None and levels:
        shared = np.array([[np.sum((segments == i) & (old == level)) for level in levels] for i in range(k)])
        rows, columns = scipy.optimize.linear_sum_assignment(-shared)
        found = {int(i): levels[j] for i, j in zip(rows, columns, strict=True) if shared[i, j]}
    free = (number for number in range(1, 2 * k + len(levels) + 1) if number not in levels)
    for i in np.argsort(means, kind="stable"):
        if int(i) not in found:
            found[int(i)] = next(free)
    return tuple(found[i] for i in range(k))
