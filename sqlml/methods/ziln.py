"""The zero-inflated lognormal net: it corrects BG/NBD and Gamma-Gamma by everything else that is known of a customer.

An ensemble and a linear model learn, from the same rows, P(any order) anew, and by which factors orders and spend
differ from those of the closed form. Counting from the closed form keeps the scale of customers who spend a hundred
times the mean, which no bin of an encoding can.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np

from sqlml import encoding, losses, training
from sqlml.encoding import Arrays
from sqlml.methods import bgnbd, net
from sqlml.methods.base import Forward, State, Weights, part, silent
from sqlml.options import ModelOptions
from sqlml.training import Watch
from sqlml.transforms import SPEND_OUTPUTS, Column, Encoder, Target

CORRECTION = "correction"
FEATURES = tuple(f"bgnbd.{name}" for name in ("chance", "orders", "spend", "alive", "size"))
"""What the closed form expects, beside the columns of the data."""
UNIT = Target("spend")
"""Corrections are learnt from spend in units of its mean: a target that is always the same is compiled once."""


def fit(
    data: Arrays, encoder: Encoder, options: ModelOptions, stop: Arrays | None = None, watch: Watch = silent
) -> State:
    """Fit the closed form, then what corrects it, on the rows of which something of the horizon was observed."""
    closed = bgnbd.fit(data, encoder, options)
    expects = _expects(encoder)
    scale = encoder.target.scale
    rows = _observed(data, expects, closed.weights, scale)
    stopping = stop and _observed(stop, expects, closed.weights, scale)
    computed = rows.inputs[:, -len(FEATURES) :]
    columns = (encoding.of_values(name, computed[:, i], options.bins) for i, name in enumerate(FEATURES))
    wider = Encoder((*encoder.columns, *columns), UNIT)
    found = net.fit(rows, wider, options, stopping, watch)
    weights, *apart = (
        {**closed.weights, **{f"{CORRECTION}.{name}": value for name, value in each.items()}}
        for each in (found.weights, *found.apart)
    )
    return replace(found, weights=weights, apart=tuple(apart))


def _observed(data: Arrays, expects: Forward, weights: Weights, scale: float) -> Arrays:
    """Rows with a label; what the closed form expects of them is among the inputs, and as outputs after the labels."""
    rows = data.where(data.labels[:, 2] > 0)
    found = training.predict(expects, weights, rows.inputs).reshape(len(rows.labels), -1)
    features, outputs = found[:, SPEND_OUTPUTS:], found[:, :SPEND_OUTPUTS]
    labels = np.concatenate([rows.labels[:, :1] / scale, rows.labels[:, 1:], outputs], 1)
    return replace(rows, inputs=np.concatenate([rows.inputs, features], 1), labels=labels)


def _expects(encoder: Encoder) -> Forward:
    """(weights, inputs) → outputs of the closed form and the features made of it, (n, 4 + features)."""
    return _expecting(bgnbd.places(encoder), encoder.target)


@lru_cache
def _expecting(places: bgnbd.Places, target: Target) -> Forward:
    def expect(weights: Weights, inputs: jax.Array) -> jax.Array:
        known = bgnbd.buyers(inputs, places)
        outputs = bgnbd.outputs(weights, known, target)
        chance, orders, spend = jnp.split(losses.spend_links(outputs), 3, 1)
        alive = bgnbd.alive(part(weights, bgnbd.CLOSED), known)[:, None]
        features = [
            jax.nn.sigmoid(chance),
            jnp.exp(orders),
            jnp.exp(spend),
            alive,
            jnp.exp(outputs[:, 2:3] - outputs[:, 1:2]),
        ]
        return jnp.concatenate([outputs, *features], 1)

    return expect


def forward(encoder: Encoder, options: ModelOptions) -> Forward:
    """Three parts: the closed form, what the ensemble makes of it, and what the linear model makes of it."""
    computed = tuple(Column(name, name, name) for name in FEATURES)  # their edges come with the weights
    wider = Encoder((*encoder.columns, *computed), UNIT)
    return _forward(_expects(encoder), net.forward(wider, options))


@lru_cache
def _forward(expects: Forward, correction: Forward) -> Forward:
    def outputs(weights: Weights, inputs: jax.Array) -> jax.Array:
        found = expects(weights, inputs)
        base, features = found[:, None, :SPEND_OUTPUTS], found[:, SPEND_OUTPUTS:]
        corrections = correction(part(weights, CORRECTION), jnp.concatenate([inputs, features], 1))
        return jnp.concatenate([base, losses.corrected(base, corrections)], 1)

    return outputs
