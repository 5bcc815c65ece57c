"""k-means in the bottleneck of an autoencoder over the standardised inputs."""

from __future__ import annotations

import jax
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict
from numpy.typing import NDArray

from sqlml import training
from sqlml.encoding import Arrays
from sqlml.methods import centers, kmeans, linear
from sqlml.methods.base import Weights, part
from sqlml.methods.centers import Segmenter
from sqlml.models.autoencoder import Autoencoder, Layers
from sqlml.options import ModelOptions
from sqlml.training import Params, Settings, Watch
from sqlml.transforms import Encoder

BOTTLENECK, WIDTH, BATCH, STEPS = 4, 64, 256, 600
ENCODER = "encoder"


def learn(data: Arrays, encoder: Encoder, options: ModelOptions, watch: Watch) -> Weights:
    """Train on the rows that are segmented; the bottleneck is standardised."""
    known = linear.moments(data, encoder, is_raw=False)
    rows = enough(centers.points(kmeans.embed, known, encoder, centers.segmented(data).inputs))
    module = Autoencoder(WIDTH, BOTTLENECK, rows.shape[1])
    trained = training.train(
        module, _squared, rows, rows, as_they_are, (), settings(options, len(rows), STEPS), watch=watch
    )
    learnt = flatten_dict(trained.params["params"][ENCODER], sep=".")
    weights = {**known, **{f"{ENCODER}.{name}": np.asarray(value) for name, value in learnt.items()}}
    squeezed = centers.points(_squeezed, weights, encoder, centers.segmented(data).inputs)
    return {**weights, **centers.standard(squeezed)}


def embed(weights: Weights, inputs: jax.Array, levels: tuple[int, ...]) -> jax.Array:
    """The bottleneck, (n, BOTTLENECK), standardised."""
    return (_squeezed(weights, inputs, levels) - weights["center"]) / weights["scale"]


def encoder_params(weights: Weights) -> Params:
    """The weights of the encoder as Flax has them."""
    return unflatten_dict(dict(part(weights, ENCODER)), sep=".")


def settings(options: ModelOptions, rows: int, steps: int) -> Settings:
    """As many epochs as make so many steps: a small net needs no more, however many rows there are."""
    epochs = -(-steps // (rows // BATCH))
    return Settings(epochs, BATCH, options.learning_rate, options.weight_decay, epochs, options.seed)


def enough(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows for the steps that are taken in one call, named again where there are fewer."""
    return np.resize(rows, (max(len(rows), training.STEPS * BATCH), rows.shape[1]))


def as_they_are(inputs: jax.Array, context: tuple[NDArray[np.float32], ...]) -> tuple[jax.Array, ...]:
    """Rows that are standardised already, and what a module needs beside them."""
    return (inputs, *context)  # type: ignore[arg-type]


def _squeezed(weights: Weights, inputs: jax.Array, levels: tuple[int, ...]) -> jax.Array:
    rows = kmeans.embed(weights, inputs, levels)
    found: jax.Array = Layers(WIDTH, BOTTLENECK).apply({"params": encoder_params(weights)}, rows)  # type: ignore[assignment]
    return found


def _squared(outputs: jax.Array, rows: jax.Array) -> jax.Array:
    return ((outputs - rows) ** 2).mean(-1)


METHOD = Segmenter(learn, embed)
