"""Why a score is what it is: Shapley values of one row, permutation importance over many."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from sqlml import losses
from sqlml.encoding import Arrays
from sqlml.evaluation import Fitted, Vector
from sqlml.methods.base import Method
from sqlml.options import ModelOptions
from sqlml.transforms import Encoder

BACKGROUND = 64
"""Rows that a missing column is drawn from; also the number of orders in which columns are added."""
REPEATS, LEAST_ROWS, MOST_ROWS, MOST_VALUES = 5, 200, 20_000, 100_000


@dataclass(frozen=True)
class Importance:
    """How much the held-out loss grows when one column is shuffled: mean and deviation over the repeats."""

    feature: str
    importance: float
    deviation: float


def background(data: Arrays, outputs: Vector) -> Vector:
    """Rows of the training data, shape (BACKGROUND, columns), that stand for the average one.

    They lie at even steps of the first output (n, size), so that their mean output is near that of all rows.
    """
    places = (np.arange(BACKGROUND) + 0.5) / BACKGROUND * len(data.labels)
    return data.inputs[np.argsort(outputs[:, 0], kind="stable")[places.astype(int)]]


def average(rows: Vector, encoder: Encoder) -> Vector:
    """As many rows, each the average one: the mean of a number, the most frequent level of a category."""
    places = zip(encoder.columns, rows.T, strict=True)
    middle = [_most_frequent(values) if column.is_category else _mean(values) for column, values in places]
    return np.tile(np.array(middle, np.float32), (len(rows), 1))


def _mean(values: Vector) -> float:
    """Of what is known; NaN where nothing is."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else np.nan


def _most_frequent(codes: Vector) -> float:
    """Missing ones count as one more level."""
    levels, counts = np.unique(codes, return_counts=True)
    return float(levels[counts.argmax()])


def effects(
    output: Callable[[jax.Array], jax.Array], encoder: Encoder, rows: Vector
) -> Callable[[jax.Array], jax.Array]:
    """A function of inputs (n, columns) → the effect of each source column on the output, (n, sources).

    Shapley values by sampled orders (Castro, Gómez & Tejada 2009), each order beside its reverse, each from one row of
    the background: the effects of a row add up to its output less the mean output of the background, exactly.
    """
    added = jnp.asarray(_orders(encoder, len(rows)))

    def explain(inputs: jax.Array) -> jax.Array:
        def one_order(total: jax.Array, given: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
            row, masks = given
            outputs = jax.lax.map(lambda own: output(jnp.where(own, inputs, row)), masks)
            return total + _by_source(jnp.diff(outputs, axis=0), masks, encoder), None

        start = jnp.zeros((inputs.shape[0], len(encoder.sources)))
        total, _ = jax.lax.scan(one_order, start, (jnp.asarray(rows), added))
        return total / len(rows)

    return explain


def _orders(encoder: Encoder, count: int) -> np.ndarray:
    """Which columns are the row's own after each step of each order: (orders, sources + 1, columns)."""
    rng = np.random.default_rng(0)
    source_of = np.array([encoder.sources.index(c.source) for c in encoder.columns])
    orders: list[np.ndarray] = []
    while len(orders) < count:
        order = rng.permutation(len(encoder.sources))
        orders += [order, order[::-1]]
    ranks = np.argsort(np.array(orders[:count]), 1)[:, source_of]
    return ranks[:, None, :] < np.arange(len(encoder.sources) + 1)[None, :, None]


def _by_source(steps: jax.Array, masks: jax.Array, encoder: Encoder) -> jax.Array:
    """Differences by step (sources, n) → by source (n, sources)."""
    first = jnp.asarray([[c.source for c in encoder.columns].index(source) for source in encoder.sources])
    step_of = (~masks[:, first]).sum(0) - 1
    return steps[step_of].T


def importance(method: Method, fitted: Fitted, options: ModelOptions, test: Arrays) -> list[Importance]:
    """The growth of the mean loss when a source column is shuffled among the held-out rows, the largest first."""
    rng = np.random.default_rng(options.seed)
    columns = [column.source for column in fitted.encoder.columns]
    most = int(np.clip(MOST_VALUES // len(columns), LEAST_ROWS, MOST_ROWS))
    test = test.where(rng.permutation(len(test.labels)) < most)
    found = []
    (before,) = _losses(method, fitted, options, test.inputs[None], test.labels)
    for source in fitted.encoder.sources:
        chosen = [i for i, name in enumerate(columns) if name == source]
        shuffled = np.repeat(test.inputs[None], REPEATS, 0)
        for repeat in shuffled:
            repeat[:, chosen] = repeat[rng.permutation(len(repeat))][:, chosen]
        grown = _losses(method, fitted, options, shuffled, test.labels) - before
        found.append(Importance(source, float(grown.mean()), float(grown.std())))
    return sorted(found, key=lambda one: -one.importance)


def _losses(method: Method, fitted: Fitted, options: ModelOptions, inputs: Vector, labels: Vector) -> Vector:
    """The mean loss of each repeat of inputs (repeats, n, columns)."""
    repeats = len(inputs)
    link = fitted.links(method, options, inputs.reshape(-1, inputs.shape[-1]))
    each = np.asarray(_loss(link, np.concatenate([labels] * repeats), losses.of(fitted.encoder.target)))
    return each.reshape(repeats, -1).mean(1)


_loss = jax.jit(lambda link, labels, loss: loss(link, labels), static_argnames="loss")
