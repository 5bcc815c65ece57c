"""How a model fares beside simpler ones on the same held-out rows, and the sentence that says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sqlml.transforms import Target

Vector = NDArray[np.float32]
BASE_RATE = "base rate"
DEVIATIONS = 1.645
"""Standard errors on either side of a 90 % interval."""
LEAST = 1e-7
MEASURES = {"binary": "log-loss", "classes": "log-loss", "value": "RMSE", "amount": "deviance", "spend": "deviance"}


@dataclass(frozen=True)
class Rival:
    """A simpler method: its mean loss, and an interval of 90 % of how much more the model loses (less: better)."""

    method: str
    loss: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """What the interval says of the model."""
        return "better than" if self.high < 0 else "worse than" if self.low > 0 else "level with"


@dataclass(frozen=True)
class Comparison:
    """The mean loss of a model, by a measure that is less where answers are better, and its rivals'."""

    measure: str
    loss: float
    rivals: Sequence[Rival]

    @property
    def sentence(self) -> str:
        """For example: Better than base rate, level with logistic: log-loss 0.409 against 0.579 and 0.41."""
        verdicts = {v: [r for r in self.rivals if r.verdict == v] for v in ("better than", "level with", "worse than")}
        said = ", ".join(f"{v} {_listed([r.method for r in found])}" for v, found in verdicts.items() if found)
        figures = _listed([f"{r.loss:.4g}" for found in verdicts.values() for r in found])
        return f"{said[:1].upper()}{said[1:]}: {self.measure} {self.loss:.4g} against {figures}."

    @property
    def warnings(self) -> list[str]:
        """A warning where nothing was learnt that would help."""
        base = next(r for r in self.rivals if r.method == BASE_RATE)
        if base.verdict == "better than":
            return []
        return [
            f"This model is not better than the base rate, the same answer for everybody: {self.measure} "
            f"{self.loss:.4g} against {base.loss:.4g} on rows held out, the difference lies between {base.low:+.4g} "
            f"and {base.high:+.4g}. Do not act on its scores; other columns, another label or more data would help."
        ]


def of(method: str, scores: Mapping[str, Vector], labels: Vector, target: Target) -> Comparison:
    """Compare answers (n,) or (n, size) of `method` with those of the others, for the same rows with labels (n,)."""
    mine = losses(scores[method], labels, target)
    rivals = [
        _rival(name, mine, losses(each, labels, target), target) for name, each in scores.items() if name != method
    ]
    return Comparison(MEASURES[target.kind], _figure(float(mine.mean()), target), rivals)


def losses(answers: Vector, labels: Vector, target: Target) -> NDArray[np.float64]:
    """The loss (n,) of each answer.

    Of an amount it is the Tweedie deviance of power 1.5, of a count the Poisson deviance, but for what the label alone
    decides: a squared error would be that of the few largest.
    """
    answers, labels = answers.astype(np.float64), labels.astype(np.float64)
    if target.kind == "binary":
        return -np.log(np.clip(np.where(labels > 0, answers, 1 - answers), LEAST, None))
    if target.kind == "classes":
        return -np.log(np.clip(answers[np.arange(len(labels)), labels.astype(int)], LEAST, None))
    if target.kind == "value":
        return np.square(answers - labels)
    known, mean = np.maximum(labels, 0) / target.scale, np.maximum(answers / target.scale, LEAST)
    if target.power == 1:
        return mean - known * np.log(mean)
    return 2 * known / np.sqrt(mean) + 2 * np.sqrt(mean)


def _rival(name: str, mine: NDArray[np.float64], theirs: NDArray[np.float64], target: Target) -> Rival:
    more = mine - theirs
    error = DEVIATIONS * float(more.std()) / np.sqrt(len(more))
    mean = float(more.mean())
    loss, own = (_figure(float(each.mean()), target) for each in (theirs, mine))
    unit = max(loss + own, LEAST) if target.kind == "value" else 1  # of squares to that of their roots
    return Rival(name, loss, (mean - error) / unit, (mean + error) / unit)


def _figure(loss: float, target: Target) -> float:
    return loss**0.5 if target.kind == "value" else loss


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
