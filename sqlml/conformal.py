"""Conformal intervals from what a tested model missed: a range of any coverage around a number, or a set of classes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from sqlml.evaluation import Vector, of_label
from sqlml.transforms import Target

COVERAGE = 0.9
LEVELS, ROWS_OF_BIN, MOST_BINS, DECILES = 201, 100, 10, 10
LEAST_SCALE = 0.1
"""Below this share of the mean prediction the width of an interval shrinks no further within its bin."""
MANY = 0.05
"""A share of labels."""
GROUPS, ROWS_OF_GROUP = 8, 20
"""How the growth of what is missed is measured: over so many groups of predictions, of so many rows at least."""


@dataclass(frozen=True)
class Conformal:
    """What an interval of any coverage is read from, a grid of LEVELS quantiles from 0 to 1.

    Of classes: quantiles of one less the probability of the true class (Sadinle, Lei & Wasserman 2019). Of numbers:
    quantiles, within bins of the answer (Mondrian conformal prediction, Vovk et al. 2005), of label less answer over
    the scale of the answer (normalised conformal prediction, Papadopoulos et al. 2002): the answer, `least` at least,
    to the power of `power`. Where many labels are 0 the narrowest interval is taken (`is_narrow`): it begins at them,
    and an interval that left as many below it as above would hold too much. The ends of a count are whole numbers: by
    a little more or less they would lose all rows that have just that count.
    """

    quantiles: NDArray[np.float64]
    edges: tuple[float, ...] = ()
    power: float = 0.0
    least: float = 1.0
    is_narrow: bool = False

    def scale(self, answers: Vector) -> NDArray[np.float64]:
        """What a quantile is multiplied by, (n,)."""
        return np.maximum(np.abs(answers).astype(np.float64), self.least) ** self.power

    def carried(self, factor: float) -> Conformal:
        """For numbers that are multiplied by `factor`."""
        return replace(
            self,
            quantiles=self.quantiles * factor ** (1 - self.power),
            edges=tuple(edge * factor for edge in self.edges),
            least=self.least * factor,
        )


def conformal(answers: Vector, labels: Vector, target: Target) -> Conformal:
    """From answers (n,) or (n, size) to rows that the model was not trained on."""
    if target.levels:
        return Conformal(_cautious_quantiles(1 - of_label(answers, labels, target))[None])
    least = LEAST_SCALE * float(np.abs(answers).mean()) or 1.0
    is_narrow = bool((labels == 0).mean() > MANY)
    found = Conformal(np.empty(0), _edges(answers), _growth(answers, labels), least, is_narrow)
    place, missed = np.searchsorted(found.edges, answers), (labels - answers) / found.scale(answers)
    rows = (missed[place == i] for i in range(len(found.edges) + 1))
    return replace(found, quantiles=np.array([_cautious_quantiles(r if len(r) else missed) for r in rows]))


def _edges(answers: Vector) -> tuple[float, ...]:
    """Between bins of equally many rows, of which the topmost is halved while it keeps enough of them.

    The largest numbers differ most from each other, and their intervals matter most.
    """
    bins = int(np.clip(len(answers) // ROWS_OF_BIN, 1, MOST_BINS))
    shares = list(np.linspace(0, 1, bins + 1)[1:-1])
    top = 0.5 / bins
    while len(answers) * top >= ROWS_OF_BIN:
        shares.append(1 - top)
        top /= 2
    return tuple(np.unique(np.quantile(answers, shares)).tolist()) if shares else ()


def _growth(answers: Vector, labels: Vector) -> float:
    """The power of the answer by which what is missed grows, from 0 to 1, over the larger half of the answers."""
    size = np.abs(answers).astype(np.float64)
    order = np.argsort(size, kind="stable")[len(size) // 2 :]
    groups = np.array_split(order, np.clip(len(order) // ROWS_OF_GROUP, 1, GROUPS))
    means = np.array([[size[group].mean(), np.abs(labels - answers)[group].mean()] for group in groups])
    if len(groups) == 1 or (means <= 0).any() or np.ptp(means[:, 0]) <= 0:
        return 0.0
    grows, missed = np.log(means).T
    return float(np.clip(np.polyfit(grows, missed, 1)[0], 0, 1))


def _cautious_quantiles(values: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Order statistics of rank (n + 1) q, away from the middle: a row still to come counts as one of them."""
    grid, n = np.linspace(0, 1, LEVELS), len(values)
    rank = np.where(grid < 0.5, np.floor((n + 1) * grid), np.ceil((n + 1) * grid))  # noqa: PLR2004
    return np.sort(values.astype(np.float64))[np.clip(rank, 1, n).astype(int) - 1]


def add_coverage(
    cursor: duckdb.DuckDBPyConnection, answers: Vector, labels: Vector, target: Target, method: str, seed: int
) -> None:
    """Add to `sqlml_metrics` how many held-out rows a 90 % interval covers, and how wide it is: of all, and by decile.

    Each half of the rows is measured by an interval made of the other half. The deciles are of the answer, the lowest
    first; classes have none.
    """
    is_first = np.random.default_rng(seed).permutation(len(labels)) % 2 == 0
    found = np.empty((len(labels), 2))
    for half in (is_first, ~is_first):
        made = conformal(answers[~half], labels[~half], target)
        found[half] = np.stack(_covered(made, answers[half], labels[half], target), 1)
    rows = [
        (method, population, metric, float(value), None, None)
        for population, chosen in _populations(answers, target)
        for metric, value in zip(("coverage_90", "width_90"), found[chosen].mean(0), strict=True)
    ]
    cursor.executemany("INSERT INTO temp.sqlml_metrics VALUES (?, ?, ?, ?, ?, ?)", rows)


def _populations(answers: Vector, target: Target) -> Iterator[tuple[str, NDArray[np.intp]]]:
    """(name, rows) of all and, where an answer is a number, of tenths by it."""
    yield "all", np.arange(len(answers))
    if not target.levels and len(answers) >= DECILES:
        for i, chosen in enumerate(np.array_split(np.argsort(answers, kind="stable"), DECILES), 1):
            yield f"decile {i}", chosen


def _covered(
    found: Conformal, answers: Vector, labels: Vector, target: Target
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of each row: whether a 90 % interval covers it, and how wide that is (of classes: how many)."""
    if target.levels:
        most = found.quantiles[0, int(np.ceil(COVERAGE * (LEVELS - 1)))]
        each = np.stack([1 - answers, answers], 1) if target.kind == "binary" else answers
        return (1 - of_label(answers, labels, target) <= most).astype(float), (1 - each <= most).sum(1).astype(float)
    place, scale = np.searchsorted(found.edges, answers), found.scale(answers)
    first, last = (_narrowest if found.is_narrow else _middle)(found.quantiles)
    low, high = (answers + found.quantiles[place, index[place]] * scale for index in (first, last))
    if target.kind in ("amount", "spend"):
        low, high = np.maximum(low, 0), np.maximum(high, 0)
    if target.is_count:
        low, high = np.round(low), np.round(high)
    return ((labels >= low) & (labels <= high)).astype(float), high - low


def _middle(quantiles: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of each bin, which quantiles end the interval that leaves as much on either side."""
    low, high = (round(q * (LEVELS - 1)) for q in ((1 - COVERAGE) / 2, (1 + COVERAGE) / 2))
    return np.full(len(quantiles), low), np.full(len(quantiles), high)


def _narrowest(quantiles: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of each bin, which quantiles end the narrowest interval: where most spend nothing, it begins there."""
    covered = round(COVERAGE * (LEVELS - 1))
    first = (quantiles[:, covered:] - quantiles[:, : LEVELS - covered]).argmin(1)
    return first, first + covered
