"""k-means on the standardised inputs: signed logarithms of numbers, one-hot categories, missing indicators."""

from __future__ import annotations

import jax

from sqlml.encoding import Arrays
from sqlml.methods import linear
from sqlml.methods.base import Weights
from sqlml.methods.centers import Segmenter
from sqlml.options import ModelOptions
from sqlml.training import Watch
from sqlml.transforms import Encoder


def learn(data: Arrays, encoder: Encoder, options: ModelOptions, watch: Watch) -> Weights:
    """Nothing but what the inputs are standardised by."""
    return linear.moments(data, encoder, is_raw=False)


def embed(weights: Weights, inputs: jax.Array, levels: tuple[int, ...]) -> jax.Array:
    """The design of the linear model, rows first."""
    return linear.design(inputs, weights, levels).T


METHOD = Segmenter(learn, embed)
