"""Early stopping: what judges a recipe is of rows that neither trained nor stopped it."""

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import pytest

from sqlml import evaluation, training
from sqlml.encoding import Arrays
from sqlml.methods.base import State
from sqlml.options import QueryOptions
from sqlml.training import Settings
from sqlml.transforms import Column, Encoder


class Slope(nn.Module):
    """One weight, from 0."""

    @nn.compact
    def __call__(self, inputs, training=False):
        return inputs * self.param("slope", nn.initializers.zeros, ())


def rows(n, slope, seed=0):
    inputs = np.random.default_rng(seed).normal(size=(n, 1)).astype(np.float32)
    return inputs, slope * inputs[:, 0]


def test_each_part_has_the_epoch_that_the_other_parts_choose():
    """One part agrees with what is learnt, and would go on; the other contradicts it, and would stop at once."""
    found = training.train(
        Slope(),
        lambda outputs, labels: (outputs[:, 0] - labels) ** 2,
        *rows(256, 1.0),
        lambda inputs, context: (inputs,),
        (),
        Settings(epochs=30, batch_size=64, learning_rate=0.05, weight_decay=0.0, patience=30, seed=0),
        [rows(64, 1.0, 1), rows(64, -1.0, 2)],
    )
    agreeing, contradicting = (float(params["params"]["slope"]) for params in found.apart)
    assert agreeing < 0.1  # stopped by the part that contradicts
    assert contradicting > 0.5  # stopped by the part that agrees


class Halves:
    """A method whose weights say which half of the stopping rows chose them."""

    @staticmethod
    def fit(data, encoder, options, stop=None, watch=None):
        return State({"half": np.float32(9)}, 1, ((0.0, 0.0),), ({"half": np.float32(0)}, {"half": np.float32(1)}))

    @staticmethod
    def forward(encoder, options):
        return answer_half


def answer_half(weights, inputs):
    return jnp.full((len(inputs), 1, 1), weights["half"])


@pytest.mark.parametrize("seed", [0, 1])
def test_outputs_of_a_half_are_of_the_weights_that_the_other_half_chose(seed):
    folds = np.random.default_rng(seed).integers(0, 6, 300)
    data = Arrays(np.zeros((300, 1), np.float32), (np.arange(300) % 2).astype(np.float32), folds)
    encoder = Encoder((Column("x", "x", "x", edges=(0.0, 1.0)),))
    found = evaluation.cross_validate(Halves, data, encoder, QueryOptions(folds=3), lambda name: None)
    assert (found.outputs[:, 0, 0] == folds % 2).all()
