"""What the ways to segment share: centers in a space that is a function of the inputs, and the nearest of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from sqlml import clustering
from sqlml.clustering import Labels
from sqlml.encoding import Arrays
from sqlml.methods import linear
from sqlml.methods.base import Forward, State, Weights, silent
from sqlml.options import ModelOptions
from sqlml.training import Watch
from sqlml.transforms import Encoder

CENTERS = "centers"
MOST_ROWS = 100_000
"""Centers are found on so many rows, evenly chosen."""
Embed = Callable[[Weights, jax.Array, tuple[int, ...]], jax.Array]
"""(weights, inputs (n, columns), levels of each column) → points (n, d)."""
Learn = Callable[[Arrays, Encoder, ModelOptions, Watch], Weights]
Refine = Callable[[Weights, Arrays, Encoder, ModelOptions, Watch, Labels | None], Weights]


@dataclass(frozen=True)
class Segmenter:
    """A way to segment, in two steps: a space is learnt, then centers are found in it.

    Attributes:
        learn: (examples, encoder, options, watch) → the weights of the space.
        embed: What these weights make of inputs.
        refine: (weights, examples, encoder, options, watch, segments so far) → the weights with `centers` (k, d) among
            them; default: k-means.
    """

    learn: Learn
    embed: Embed
    refine: Refine | None = None

    def cluster(
        self,
        space: Weights,
        data: Arrays,
        encoder: Encoder,
        options: ModelOptions,
        watch: Watch,
        old: Labels | None = None,
    ) -> Weights:
        """The space with `options.k` centers in it, or fewer where so many have too few rows.

        `old` are the segments so far (n,) of the rows that are segmented, 0 of none: it begins with them.
        """
        if self.refine is not None:
            return self.refine(space, data, encoder, options, watch, old)
        return with_centers(self.embed, space, data, encoder, options, old)

    def fit(
        self,
        data: Arrays,
        encoder: Encoder,
        options: ModelOptions,
        stop: Arrays | None = None,
        watch: Watch = silent,
        old: Labels | None = None,
    ) -> State:
        """Both steps; labels (n, 3) of data are a spend, orders and an exposure, 0 of the rows that are segmented."""
        space = self.learn(data, encoder, options, watch)
        weights = self.cluster(space, data, encoder, options, watch, old)
        return State({name: np.asarray(value, np.float32) for name, value in weights.items()}, 1, ((0.0, math.nan),))

    def forward(self, encoder: Encoder, options: ModelOptions) -> Forward:
        """One part: of each segment the negative squared distance to its center, (n, 1, k)."""
        return _forward(self.embed, encoder.levels)

    def segments(self, weights: Weights, encoder: Encoder, inputs: NDArray[np.float32]) -> Labels:
        """The place of the nearest center, (n,)."""
        return clustering.nearest(points(self.embed, weights, encoder, inputs), weights[CENTERS])


@lru_cache
def _forward(embed: Embed, levels: tuple[int, ...]) -> Forward:
    def outputs(weights: Weights, inputs: jax.Array) -> jax.Array:
        placed, centers = embed(weights, inputs, levels), jnp.asarray(weights[CENTERS])
        return -((placed[:, None, None] - centers) ** 2).sum(-1)

    return outputs


def points(embed: Embed, weights: Weights, encoder: Encoder, inputs: NDArray[np.float32]) -> clustering.Points:
    """Where rows lie in the space, (n, d)."""
    space = {name: value for name, value in weights.items() if name != CENTERS}
    filled = np.pad(inputs, ((0, linear.padded(len(inputs)) - len(inputs)), (0, 0)))
    return np.asarray(_embedded(embed, space, filled, encoder.levels))[: len(inputs)]


_embedded = partial(jax.jit, static_argnums=(0, 3))(
    lambda embed, weights, inputs, levels: embed(weights, inputs, levels)
)


def with_centers(
    embed: Embed, space: Weights, data: Arrays, encoder: Encoder, options: ModelOptions, old: Labels | None
) -> dict[str, NDArray[np.float32]]:
    """The space with the centers of k-means among the rows that are segmented."""
    placed = points(embed, space, encoder, segmented(data).inputs)
    old = old[_even(len(old))] if old is not None else None
    centers = clustering.kmeans(placed, int(options.k or 1), options.min_size, options.seed, old)
    return {**space, CENTERS: centers}


def is_segmented(data: Arrays) -> NDArray[np.bool_]:
    """Which rows are of the newest moment: nothing that comes after is known of them."""
    return data.labels[:, 2] == 0


def segmented(data: Arrays) -> Arrays:
    """The rows that are segmented, of very many a part, evenly chosen."""
    rows = np.flatnonzero(is_segmented(data))
    return data.at(rows[_even(len(rows))])


def _even(rows: int) -> NDArray[np.int64]:
    return np.linspace(0, rows - 1, min(rows, MOST_ROWS)).astype(int)


def standard(values: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """Mean and deviation (d,) by which points (n, d) are standardised."""
    deviation = values.std(0)
    return {"center": values.mean(0), "scale": np.where(deviation > 0, deviation, 1).astype(np.float32)}
