"""Cross-fitting, calibration and the comparison of methods on held-out rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import duckdb
import jax
import jax.numpy as jnp
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sqlml import losses, queries
from sqlml.encoding import Arrays
from sqlml.methods.base import Method, State, part
from sqlml.methods.linear import Objective, Point, minimise
from sqlml.options import ModelOptions
from sqlml.training import Stage, predict, together
from sqlml.transforms import Calibration, Encoder, Target

Vector = NDArray[np.float32]
BOOTSTRAP_ROWS = 1_500_000
SHRINKAGE = 1e-4
"""How much slopes are drawn to equal ones, and shapes of growth to 1."""


@dataclass(frozen=True)
class Validated:
    """What the folds say of a method, all of it from rows that were not trained on.

    `outputs` (n, parts, size) and `labels` (n,) are in the order of the rows; `epochs` is how long to train.
    """

    outputs: Vector
    labels: Vector
    epochs: int
    calibration: Calibration

    def answers(self, target: Target) -> Vector:
        """Calibrated answers, (n,) or (n, size)."""
        return np.asarray(losses.answers(self.outputs, target, self.calibration))

    def losses(self, target: Target) -> Vector:
        """The loss of each row's calibrated output, (n,)."""
        slope, offset = jnp.asarray(self.calibration.slope), jnp.asarray(self.calibration.offset)
        link = losses.blend(jnp.asarray(self.outputs), slope, offset)
        return np.asarray(losses.of(target)(link, jnp.asarray(self.labels)))


@dataclass(frozen=True)
class Fitted:
    """A method after the whole recipe: fitted on everything it may know, calibrated on rows it had not seen."""

    state: State
    encoder: Encoder
    calibration: Calibration
    validated: Validated

    def links(self, method: Method, options: ModelOptions, inputs: NDArray[np.float32]) -> Vector:
        """Calibrated outputs (n, size) before they become answers."""
        outputs = predict(method.forward(self.encoder, options), self.state.weights, inputs)
        slope, offset = (np.array(each, np.float32) for each in (self.calibration.slope, self.calibration.offset))
        return np.asarray(_blend(outputs, slope, offset))

    def scores(self, method: Method, options: ModelOptions, inputs: NDArray[np.float32]) -> Vector:
        """Calibrated answers, (n,) or (n, size)."""
        outputs = predict(method.forward(self.encoder, options), self.state.weights, inputs)
        return np.asarray(losses.answers(outputs, self.encoder.target, self.calibration))


_blend = jax.jit(losses.blend)


def cross_fit(method: Method, data: Arrays, encoder: Encoder, options: ModelOptions, stage: Stage) -> Fitted:
    """`cross_validate`, then `fit_all`."""
    return fit_all(method, data, encoder, options, cross_validate(method, data, encoder, options, stage), stage)


def linear_part(validated: Validated, target: Target, options: ModelOptions) -> Validated:
    """What the folds say of the linear model that every net has as its second part."""
    outputs = validated.outputs[:, 1:]
    calibration = calibrate(outputs, validated.labels, target, is_fitted=options.blend == "fitted")
    return Validated(outputs, validated.labels, 1, calibration)


def linear_beside(fitted: Fitted, options: ModelOptions) -> Fitted:
    """The linear model within a fitted net, as `cross_fit` would fit it again."""
    validated = linear_part(fitted.validated, fitted.encoder.target, options)
    return Fitted(State(part(fitted.state.weights, "linear"), 1), fitted.encoder, validated.calibration, validated)


def cross_validate(method: Method, data: Arrays, encoder: Encoder, options: ModelOptions, stage: Stage) -> Validated:
    """Fit on all folds but one, in turn, and look at that one.

    Args:
        method: What to fit.
        data: Examples; a customer's rows share a fold.
        encoder: Fitted on the same examples.
        options: Epochs, seed and so on.
        stage: Name of a part of the training → what to call after its epochs.
    """
    folds = [data.folds // 2 == fold for fold in np.unique(data.folds // 2)]
    sound = [f for f in folds if len(np.unique(data.labels[~f])) > 1]  # too few of one kind to learn from
    jobs = [
        partial(_fit_fold, method, data, encoder, options, fold, f"fold {i} of {len(sound)}")
        for i, fold in enumerate(sound, 1)
    ]
    first, *others = jobs
    fitted = [first(stage), *together(others, stage)]  # what the first compiles serves the others
    place = np.argsort(np.concatenate([np.flatnonzero(fold) for fold in sound]))
    outputs = np.concatenate([found for found, _ in fitted])[place]
    labels = data.labels[np.any(sound, axis=0)]
    calibration = calibrate(outputs, labels, encoder.target, is_fitted=options.blend == "fitted")
    return Validated(outputs, labels, max(1, round(float(np.median([e for _, e in fitted])))), calibration)


def _fit_fold(
    method: Method,
    data: Arrays,
    encoder: Encoder,
    options: ModelOptions,
    fold: NDArray[np.bool_],
    name: str,
    stage: Stage,
) -> tuple[Vector, int]:
    """Outputs for the rows of the fold from a fit on the others, and its epochs.

    The fit stops on the fold; each half has the outputs of the epoch that the other half chose.
    """
    held_out = data.where(fold)
    state = method.fit(data.where(~fold), encoder, options, held_out, stage(name))
    parts = held_out.halves() if len(state.apart) > 1 else [held_out]
    weights = state.apart if len(state.apart) > 1 else [state.weights]
    forward = method.forward(encoder, options)
    found = [predict(forward, each, part.inputs) for each, part in zip(weights, parts, strict=True)]
    if len(parts) == 1:
        return found[0], state.epochs
    place = np.argsort(np.concatenate([np.flatnonzero(held_out.folds % 2 == half) for half in range(2)]))
    return np.concatenate(found)[place], state.epochs


def fit_all(
    method: Method, data: Arrays, encoder: Encoder, options: ModelOptions, validated: Validated, stage: Stage
) -> Fitted:
    """Fit on all rows for as long as the folds advise, with their calibration."""
    advised = dataclasses.replace(options, epochs=validated.epochs)
    state = method.fit(data, encoder, advised, None, stage("all rows"))
    return Fitted(state, encoder, validated.calibration, validated)


def calibrate(outputs: Vector, labels: Vector, target: Target, *, is_fitted: bool) -> Calibration:
    """Slopes and offsets that minimise the target's loss on outputs (n, parts, size) of rows not trained on.

    For one part and a binary label that is Platt scaling, with his smoothed targets, so that a small or one-sided
    sample cannot give certainty. Several parts share one slope, or have each its own (stacking, Wolpert 1992).
    """
    if target.kind == "spend":
        return _calibrate_spend(outputs, labels, target)
    if target.kind == "binary":
        positives, negatives = labels.sum(), (1 - labels).sum()
        labels = np.where(labels > 0, (positives + 1) / (positives + 2), 1 / (negatives + 2)).astype(np.float32)
    parts = outputs.shape[1]
    start = {
        "slope": np.full(parts if is_fitted else 1, 1 / parts, np.float32),
        "offset": np.zeros(target.size, np.float32),
    }
    weights, _ = minimise(_calibrated_loss(target), start, outputs, labels)
    slope = np.broadcast_to(np.asarray(weights["slope"]), parts)
    return Calibration(tuple(slope.tolist()), tuple(np.asarray(weights["offset"]).tolist()))


@lru_cache
def _calibrated_loss(target: Target) -> Objective:
    loss = losses.of(target)

    def objective(weights: Point, outputs: jax.Array, labels: jax.Array) -> jax.Array:
        slope = jnp.broadcast_to(weights["slope"], outputs.shape[1:2])
        away = SHRINKAGE * ((slope - 1 / outputs.shape[1]) ** 2).sum()
        return loss(losses.blend(outputs, slope, jnp.asarray(weights["offset"])), labels).mean() + away

    return objective


def _calibrate_spend(outputs: Vector, labels: Vector, target: Target) -> Calibration:
    """A closed form, the first part, stays as it is alone; with others, all weigh the same and totals are made right.

    It is left out where the others are better without it by more than chance: it stays by default, because what held
    for these rows by chance holds for it less than for the others in the time to come.
    """
    parts = outputs.shape[1]
    if parts == 1:
        return Calibration((1.0,), (0.0,) * target.size)
    equal, without = np.full(parts, 1 / parts, np.float32), np.append(0, np.full(parts - 1, 1 / (parts - 1)))
    (found, missed), (other, other_missed) = (
        _fit_totals(outputs, labels, target, slope.astype(np.float32)) for slope in (equal, without)
    )
    gain = missed - other_missed
    is_better = gain.mean() > 2 * gain.std() / np.sqrt(len(gain))
    return other if is_better else found


def _fit_totals(outputs: Vector, labels: Vector, target: Target, slope: Vector) -> tuple[Calibration, Vector]:
    """Offsets that make activity, orders and spend right in total, and what each row (n,) still misses."""
    start = {name: np.zeros(shape, np.float32) for name, shape in (("offset", 3), ("hazard", ()), ("growth", ()))}
    found, _ = minimise(_totals_objective(target), start, outputs, labels, slope)
    missed = np.asarray(_missed_totals(target)(found, outputs, labels, slope))
    offset = (*np.asarray(found["offset"]).tolist(), 0.0)
    return Calibration(tuple(slope.tolist()), offset, float(np.exp(found["growth"]))), missed


@lru_cache
def _totals_objective(target: Target) -> Objective:
    missed = _missed_totals(target)

    def objective(found: Point, outputs: jax.Array, labels: jax.Array, slope: jax.Array) -> jax.Array:
        away = jnp.asarray(found["hazard"]) ** 2 + jnp.asarray(found["growth"]) ** 2
        return missed(found, outputs, labels, slope).mean() + SHRINKAGE * away

    return objective


@lru_cache
def _missed_totals(target: Target) -> Objective:
    def missed(found: Point, outputs: jax.Array, labels: jax.Array, slope: jax.Array) -> jax.Array:
        link = losses.blend(jnp.asarray(outputs), jnp.asarray(slope), jnp.append(jnp.asarray(found["offset"]), 0.0))
        hazard, growth = jnp.exp(found["hazard"]), jnp.exp(found["growth"])
        return losses.spend_deviance(link, jnp.asarray(labels), target.scale, hazard, growth)

    return jax.jit(missed)


def weibull_power(survival: Vector, half_rate: float, ratio: float) -> float:
    """How to carry P(no event in the window) to a horizon `ratio` times as long.

    The cumulative hazard of each customer is taken to grow as time to the power of a shape, one shape for all. It is
    chosen so that the scores carried back to half the window average to `half_rate`, the share observed there.

    Returns:
        ratio ** shape, the power to raise the probabilities to.
    """
    shapes = np.linspace(0.05, 1.5, 146)
    means = np.array([(survival.astype(np.float64) ** 0.5**shape).mean() for shape in shapes])
    return float(ratio ** shapes[np.argmin(np.abs(means - half_rate))])


def growth(mean: float, half: float, ratio: float) -> float:
    """How a mean grows from the window to a horizon `ratio` times as long.

    It is taken to grow as time to the power of a shape, measured between half the window and all of it.

    Returns:
        ratio ** shape, the factor of the numbers.
    """
    shape = np.log2(mean / half) if half * mean > 0 else 1.0
    return float(ratio ** np.clip(shape, 0.05, 1.5))


def answer_losses(answers: Vector, labels: Vector, target: Target) -> tuple[str, Vector]:
    """The metric of a target that is less where answers are better, and the loss (n,) of each row.

    Of numbers the loss is a squared error and the metric, `rmse`, the root of its mean.
    """
    if target.kind in ("binary", "classes"):
        return "log_loss", -np.log(np.clip(of_label(answers, labels, target), 1e-7, None))
    return "rmse", (answers - labels) ** 2


@dataclass(frozen=True)
class HeldOut:
    """Predictions of several methods for the same held-out rows."""

    keys: pa.Table
    """Columns customer_id (what is drawn in the bootstrap), as_of, label, is_active, and key where they are stored."""
    scores: Sequence[tuple[str, Vector]]


METRICS = {
    "segment": "segment",
    "items": "ranking",
    "binary": "two_classes",
    "classes": "classes",
    "value": "number",
    "amount": "number",
    "spend": "spend",
}
"""The file of sql/metrics by the kind of target."""


def compare(
    cursor: duckdb.DuckDBPyConnection, held_out: HeldOut, seed: int, target: Target, threshold: float = 0.5
) -> None:
    """Write the temporary tables `sqlml_heldout` and `sqlml_metrics`.

    Of two classes a row is taken for positive from `threshold` on.
    """
    parts = [held_out.keys.append_column("score", _column(s)).append_column("method", pa.repeat(m, len(s)))
             for m, s in held_out.scores]  # fmt: skip
    cursor.register("sqlml_arrow", pa.concat_tables(parts))
    cursor.execute("CREATE OR REPLACE TEMP TABLE sqlml_heldout AS FROM sqlml_arrow").fetchall()
    cursor.unregister("sqlml_arrow")
    draws = int(np.clip(BOOTSTRAP_ROWS // max(1, 2 * len(parts) * len(held_out.keys)), 20, 400))
    pieces = {"binary": queries.text("metrics/binary"), "threshold": f"{threshold!r}::FLOAT"}
    metrics = queries.text(f"metrics/{METRICS[target.kind]}", **pieces)
    query = queries.text("metrics/compare", metrics=metrics)
    query = f"CREATE OR REPLACE TEMP TABLE sqlml_metrics AS WITH heldout AS (FROM temp.sqlml_heldout) FROM ({query})"
    cursor.execute(query, {"draws": draws, "seed": seed}).fetchall()


def _column(scores: Vector | pa.Array) -> pa.Array:
    """Scores (n,) as numbers, (n, size) as lists; what is Arrow already as it is."""
    if isinstance(scores, pa.Array) or scores.ndim == 1:
        return pa.array(scores)
    return pa.FixedSizeListArray.from_arrays(pa.array(scores.reshape(-1)), scores.shape[1]).cast(pa.list_(pa.float32()))


def of_label(answers: Vector, labels: Vector, target: Target) -> Vector:
    """The probability (n,) of the true class."""
    if target.kind == "binary":
        return np.where(labels > 0, answers, 1 - answers)
    return answers[np.arange(len(labels)), labels.astype(int)]
