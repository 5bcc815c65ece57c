"""A generalised linear model, logistic for classes, with an L2 penalty.

Its design: standardised signed logarithms, one-hot categories, missing indicators; for a `value` also the numbers as
they are, up to as far beyond the training rows as these reach, so that a straight line is one.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import cast

import jax
import jax.numpy as jnp
import numpy as np
import scipy
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from sqlml import interruption, losses
from sqlml.encoding import Arrays
from sqlml.methods.base import Forward, State, Weights, silent
from sqlml.options import ModelOptions
from sqlml.training import Watch
from sqlml.transforms import FLAG, Encoder, Target

STEPS = 200
TOLERANCE = 1e-9
LARGEST = 1e30
PADDING, DOUBLING = 4096, 65_536
"""Rows are padded to a power of two, from DOUBLING on to a multiple of it: few shapes, few compilations."""
WIDE, STEP = 256, 2048
"""Of more columns than WIDE, rows are padded to a multiple of STEP: many more rows cost more than a compilation."""
Array = jax.Array | NDArray[np.float32] | NDArray[np.float64] | NDArray[np.bool_]
Point = Mapping[str, Array]
Objective = Callable[..., jax.Array]
PENALTY = 1.0
"""Strength of the L2 penalty, in units of one example: the C = 1 of scikit-learn."""


def fit(
    data: Arrays, encoder: Encoder, options: ModelOptions, stop: Arrays | None = None, watch: Watch = silent
) -> State:
    """Minimise the penalised loss by L-BFGS; `stop` is not needed."""
    extra = padded(*data.inputs.shape) - len(data.labels)
    labels = np.pad(data.labels, ((0, extra), (0, 0))[: data.labels.ndim])
    is_row = np.arange(len(labels)) < len(data.labels)
    known = moments(data, encoder, is_raw=encoder.target.kind == "value")
    rows = compiled_design(np.pad(data.inputs, ((0, extra), (0, 0))), known, encoder.levels)
    size = encoder.target.size
    start = {"slope": np.zeros((rows.shape[0], size), np.float32), "intercept": np.zeros(size, np.float32)}
    weights, loss = minimise(_objective(encoder.target), start, rows, labels, is_row)
    watch(1, 1, loss)
    return State({**known, **{name: np.asarray(value) for name, value in weights.items()}}, 1, ((loss, math.nan),))


def moments(data: Arrays, encoder: Encoder, *, is_raw: bool) -> dict[str, NDArray[np.float32]]:
    """What the design is standardised by, and `is_raw` what the numbers as they are are clipped to."""
    known: dict[str, NDArray[np.float32]] = {"mean": encoder.layout.mean, "deviation": encoder.layout.deviation}
    return {**known, **_raw_moments(data, encoder)} if is_raw else known


def _raw_moments(data: Arrays, encoder: Encoder) -> dict[str, NDArray[np.float32]]:
    ends = np.array([(c.edges[0], c.edges[-1]) if c.edges else (0, 1) for c in encoder.columns], np.float32)
    low, high = 2 * ends[:, 0] - ends[:, 1], 2 * ends[:, 1] - ends[:, 0]
    values = np.clip(np.where(np.isfinite(data.inputs), data.inputs, np.nan), low, high).astype(np.float64)
    known = np.isfinite(values).any(0)
    mean, deviation = (np.where(known, of(np.where(known, values, 0), 0), 0) for of in (np.nanmean, np.nanstd))
    found = {"low": low, "high": high, "raw_mean": mean, "raw_deviation": np.where(deviation > 0, deviation, 1)}
    return {name: value.astype(np.float32) for name, value in found.items()}


def padded(rows: int, columns: int = 0) -> int:
    """How many rows arrays of `rows` are filled up to."""
    if columns > WIDE:
        return rows + -rows % STEP
    if rows > DOUBLING:
        return rows + -rows % DOUBLING
    return max(PADDING, 1 << (rows - 1).bit_length())


def forward(encoder: Encoder, options: ModelOptions) -> Forward:
    """One part: slope times design plus intercept."""
    return _forward(encoder.levels)


@lru_cache
def _forward(levels: tuple[int, ...]) -> Forward:
    """Kept by shapes, not by encoder: its moments come with the weights."""
    return lambda weights, inputs: _outputs(weights, design(inputs, weights, levels))[:, None]


def _outputs(weights: Point, rows: jax.Array) -> jax.Array:
    return (jnp.asarray(weights["slope"]).T @ rows).T + weights["intercept"]


_lock = threading.Lock()
_minimising: list[object] = []


@contextmanager
def _one_blas_thread() -> Iterator[None]:
    """The vectors of L-BFGS are short: BLAS threads that wait for work would take the cores from JAX."""
    with _lock:
        if not _minimising:
            _minimising.append(threadpool_limits(1, "blas"))
        _minimising.append(None)
    try:
        yield
    finally:
        with _lock:
            _minimising.pop()
            if len(_minimising) == 1:
                cast("threadpool_limits", _minimising.pop()).restore_original_limits()


def minimise(objective: Objective, start: Point, *data: Array) -> tuple[Point, float]:
    """L-BFGS on `objective(weights, *data)`, smooth in the arrays of `start`; the minimiser and its value.

    It computes in the type of these arrays.
    """
    on_device = jax.device_put(data)
    names, shapes = list(start), [np.shape(value) for value in start.values()]
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
    kind = np.result_type(*(np.asarray(value).dtype for value in start.values()))

    def weights(flat: NDArray[np.float64]) -> Point:
        pieces = np.split(flat.astype(kind), ends)
        return {name: piece.reshape(shape) for name, piece, shape in zip(names, pieces, shapes, strict=True)}

    def value_and_gradient(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        interruption.check()
        value, gradient = _value_and_gradient(objective, weights(flat), *on_device)
        return float(value), np.concatenate([np.ravel(gradient[name]) for name in names]).astype(np.float64)

    first = np.concatenate([np.ravel(start[name]) for name in names]).astype(np.float64)
    with _one_blas_thread():
        found = scipy.optimize.minimize(
            value_and_gradient, first, jac=True, method="L-BFGS-B", options={"maxiter": STEPS, "ftol": TOLERANCE}
        )
    return weights(found.x), float(found.fun)


@partial(jax.jit, static_argnums=0)
def _value_and_gradient(objective: Objective, weights: Point, *data: Array) -> tuple[jax.Array, Point]:
    return jax.value_and_grad(objective)(weights, *data)


@lru_cache
def _objective(target: Target) -> Objective:
    """Penalised mean loss over the rows that are not padding."""
    loss = losses.of(target)

    def objective(weights: Point, rows: jax.Array, labels: jax.Array, is_row: jax.Array) -> jax.Array:
        each = loss(_outputs(weights, rows), labels)
        penalty = 0.5 * PENALTY * (weights["slope"] ** 2).sum()
        return (jnp.where(is_row, each, 0.0).sum() + penalty) / is_row.sum()

    return objective


def design(inputs: jax.Array, moments: Weights, levels: tuple[int, ...]) -> jax.Array:
    """The design matrix with rows last: (numbers + missing indicators + levels [+ numbers as they are], n).

    A flag has no missing indicator, and as it is it would be no other number.
    """
    values = inputs.T
    missing = ~jnp.isfinite(values)
    logarithm = jnp.sign(values) * jnp.log1p(jnp.minimum(jnp.abs(values), LARGEST))
    standard = (logarithm - moments["mean"][:, None]) / moments["deviation"][:, None]
    kinds = np.array(levels)
    numbers = jnp.where(missing, 0.0, standard)[kinds <= 0]
    codes = [values[i] == jnp.arange(count + 1)[:, None] for i, count in enumerate(levels) if count > 0]
    parts = [numbers, missing.astype(jnp.float32)[kinds != FLAG], *codes]
    if "raw_mean" in moments:
        clipped = jnp.clip(values, moments["low"][:, None], moments["high"][:, None])
        raw = (clipped - moments["raw_mean"][:, None]) / moments["raw_deviation"][:, None]
        parts.append(jnp.where(missing, 0.0, raw)[kinds == 0])
    return jnp.concatenate(parts)


compiled_design = partial(jax.jit, static_argnames="levels")(design)
