"""A generalised linear model, logistic for classes, with an L2 penalty.

Its design: standardised signed logarithms, one-hot categories, missing indicators.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import NDArray

from sqlml import losses
from sqlml.encoding import Arrays
from sqlml.methods.base import Forward, State, silent
from sqlml.options import ModelOptions
from sqlml.training import Watch
from sqlml.transforms import Encoder, Target

STEPS = 100
LARGEST = 1e30
PADDING = 4096
"""Rows are padded to a multiple of this: folds of nearly one size share one compilation."""
Array = jax.Array | NDArray[np.float32] | NDArray[np.bool_]
Point = Mapping[str, Array]
Objective = Callable[..., jax.Array]
PENALTY = 1.0
"""Strength of the L2 penalty, in units of one example: the C = 1 of scikit-learn."""


def fit(
    data: Arrays, encoder: Encoder, options: ModelOptions, stop: Arrays | None = None, watch: Watch = silent
) -> State:
    """Minimise the penalised loss by L-BFGS; `stop` is not needed."""
    extra = -len(data.labels) % PADDING
    inputs = np.pad(data.inputs, ((0, extra), (0, 0)))
    labels = np.pad(data.labels, (0, extra))
    is_row = np.arange(len(labels)) < len(data.labels)
    design = _compiled_design(inputs, encoder)
    size = encoder.target.size
    start = {"slope": np.zeros((design.shape[1], size), np.float32), "intercept": np.zeros(size, np.float32)}
    weights, loss = minimise(_objective(encoder.target), start, design, labels, is_row)
    watch(1, 1, loss)
    return State({name: np.asarray(value) for name, value in weights.items()}, 1, ((loss, loss),))


@lru_cache
def forward(encoder: Encoder, options: ModelOptions) -> Forward:
    """One part: slope times design plus intercept."""
    return lambda weights, inputs: (_design(inputs, encoder) @ weights["slope"] + weights["intercept"])[:, None]


@partial(jax.jit, static_argnums=0)
def _minimise(objective: Objective, start: Point, *data: Array) -> tuple[Point, jax.Array]:
    optimizer = optax.lbfgs()
    value_of = partial(_with_data, objective, data)
    value_and_grad = optax.value_and_grad_from_state(value_of)

    def step(carry: tuple[Point, optax.OptState], _: None) -> tuple[tuple[Point, optax.OptState], jax.Array]:
        weights, state = carry
        value, gradient = value_and_grad(weights, state=state)
        updates, state = optimizer.update(gradient, state, weights, value=value, grad=gradient, value_fn=value_of)
        return (optax.apply_updates(weights, updates), state), value

    (weights, _), values = jax.lax.scan(step, (start, optimizer.init(start)), length=STEPS)
    return weights, values[-1]


def minimise(objective: Objective, start: Point, *data: Array) -> tuple[Point, float]:
    """L-BFGS on `objective(weights, *data)`, smooth in the pytree `start`; the minimiser and its value."""
    weights, value = _minimise(objective, start, *data)
    return weights, float(value)


def _with_data(objective: Objective, data: tuple[Array, ...], weights: Point) -> jax.Array:
    return objective(weights, *data)


@lru_cache
def _objective(target: Target) -> Objective:
    """Penalised mean loss over the rows that are not padding."""
    loss = losses.of(target)

    def objective(weights: Point, design: jax.Array, labels: jax.Array, is_row: jax.Array) -> jax.Array:
        each = loss(design @ weights["slope"] + weights["intercept"], labels)
        penalty = 0.5 * PENALTY * (weights["slope"] ** 2).sum()
        return (jnp.where(is_row, each, 0.0).sum() + penalty) / is_row.sum()

    return objective


@partial(jax.jit, static_argnames="encoder")
def _compiled_design(inputs: jax.Array, encoder: Encoder) -> jax.Array:
    return _design(inputs, encoder)


def _design(inputs: jax.Array, encoder: Encoder) -> jax.Array:
    """The design matrix (n, columns + missing indicators + levels)."""
    layout = encoder.layout
    missing = jnp.isnan(inputs)
    logarithm = jnp.sign(inputs) * jnp.log1p(jnp.minimum(jnp.abs(inputs), LARGEST))
    standard = jnp.where(missing, 0.0, (logarithm - layout.mean) / layout.deviation)
    numbers = standard[:, ~layout.is_category]
    levels = [
        inputs[:, i, None] == jnp.arange(len(column.levels) + 1)
        for i, column in enumerate(encoder.columns)
        if column.is_category
    ]
    return jnp.concatenate([numbers, missing.astype(jnp.float32), *levels], 1)
