"""Deep embedded clustering: the bottleneck of an autoencoder, bent until the clusters in it are clear.

Source: Xie, Girshick & Farhadi 2016, arXiv 1511.06335. Encoder and centers move together towards a sharpened version of
their own assignment, which is renewed every round.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import jax
import numpy as np
from flax.traverse_util import flatten_dict
from numpy.typing import NDArray

from sqlml import clustering, training
from sqlml.clustering import Labels
from sqlml.encoding import Arrays
from sqlml.methods import autoencoder, centers, kmeans
from sqlml.methods.base import Weights
from sqlml.methods.centers import CENTERS, Segmenter
from sqlml.models.autoencoder import SoftClusters
from sqlml.options import ModelOptions
from sqlml.training import Params, Watch
from sqlml.transforms import Encoder

ROUNDS, STEPS = 4, 60
FAR = 1e4
"""Where the centers are that fill up the room: nothing is near to them."""


def refine(
    space: Weights, data: Arrays, encoder: Encoder, options: ModelOptions, watch: Watch, old: Labels | None
) -> Weights:
    """From the centers of k-means on, minimise the divergence of the assignment from its sharpened version."""
    weights = centers.with_centers(autoencoder.embed, space, data, encoder, options, old)
    inputs = centers.segmented(data).inputs
    rows = autoencoder.enough(centers.points(kmeans.embed, space, encoder, inputs))
    k = len(weights[CENTERS])
    filled = np.pad(weights[CENTERS], ((0, -k % clustering.ROOM), (0, 0)), constant_values=FAR)
    module = SoftClusters(autoencoder.WIDTH, autoencoder.BOTTLENECK, len(filled))
    context = (space["center"], space["scale"])
    settings = autoencoder.settings(options, len(rows), STEPS)
    params = {"params": {"encoder": autoencoder.encoder_params(weights), CENTERS: filled}}
    for _ in range(ROUNDS):
        belonging = np.exp(training.predict(_assignment(module), (params, context), rows))
        wanted = _sharpened(belonging)
        trained = training.train(
            module, _divergence, rows, wanted, autoencoder.as_they_are, context, settings, watch=watch, start=params
        )
        params = trained.params
    learnt = flatten_dict(params["params"]["encoder"], sep=".")
    bent = {**space, **{f"{autoencoder.ENCODER}.{name}": np.asarray(value) for name, value in learnt.items()}}
    placed = centers.points(autoencoder.embed, bent, encoder, inputs)
    return {**bent, CENTERS: _large_enough(np.asarray(params["params"][CENTERS])[:k], placed, options.min_size)}


@lru_cache
def _assignment(module: SoftClusters) -> Callable[[Params, jax.Array], jax.Array]:
    """(parameters with what the module needs, rows) → the logarithms of the assignment."""

    def assign(given: Params, rows: jax.Array) -> jax.Array:
        params, context = given
        found: jax.Array = module.apply(params, rows, *context)  # type: ignore[assignment]
        return found

    return assign


def _sharpened(belonging: NDArray[np.float32]) -> NDArray[np.float32]:
    """What is sure becomes surer, and large clusters count no more than small ones: equation 3 of the paper."""
    sharp = belonging**2 / belonging.sum(0)
    return (sharp / sharp.sum(1, keepdims=True)).astype(np.float32)


def _divergence(logs: jax.Array, wanted: jax.Array) -> jax.Array:
    return -(wanted * logs).sum(-1)


def _large_enough(found: clustering.Points, placed: clustering.Points, least: int) -> clustering.Points:
    """The centers that have enough rows, the smallest given up first."""
    while len(found) > 1:
        counts = np.bincount(clustering.nearest(placed, found), minlength=len(found))
        if counts.min() >= least:
            break
        found = np.delete(found, counts.argmin(), 0)
    return found


METHOD = Segmenter(autoencoder.learn, autoencoder.embed, refine)
