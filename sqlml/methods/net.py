"""The parameter-efficient ensemble over piecewise-linear encodings, blended with a linear model.

The mean of the two outputs ranks as well as the better of them and keeps a linear trend beyond the training range,
where piecewise-linear encodings are flat.
"""

from __future__ import annotations

from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from sqlml import losses, training
from sqlml.encoding import Arrays
from sqlml.losses import Loss
from sqlml.methods import linear
from sqlml.methods.base import Forward, State, Weights, part, silent
from sqlml.models.ensemble import Ensemble, encode
from sqlml.options import ModelOptions
from sqlml.training import Params, Settings, Watch
from sqlml.transforms import Encoder, Layout, Target


def fit(
    data: Arrays, encoder: Encoder, options: ModelOptions, stop: Arrays | None = None, watch: Watch = silent
) -> State:
    """Train every member on every row with its own loss, as BatchEnsemble and TabM do."""
    settings = Settings(
        options.epochs,
        options.batch_size,
        options.learning_rate,
        options.weight_decay,
        options.patience,
        options.seed,
    )
    trained = training.train(
        _module(encoder, options),
        _member_loss(encoder.target),
        data.inputs,
        data.labels,
        encode,
        encoder.layout,
        settings,
        [(half.inputs, half.labels) for half in stop.halves()] if stop else (),
        watch,
    )
    shared = {f"layout.{name}": value for name, value in encoder.layout._asdict().items()}
    shared |= {f"linear.{name}": value for name, value in linear.fit(data, encoder, options).weights.items()}
    weights, *apart = ({**_stored(params), **shared} for params in (trained.params, *trained.apart))
    return State(weights, trained.epochs, tuple(trained.log), tuple(apart))


def _stored(params: Params) -> Weights:
    return {f"net.{name}": np.asarray(value) for name, value in flatten_dict(params["params"], sep=".").items()}


def forward(encoder: Encoder, options: ModelOptions) -> Forward:
    """Two parts: the outputs of the members' mean answer, and those of the linear model."""
    return _forward(_module(encoder, options), encoder.target, linear.forward(encoder, options))


@lru_cache
def _forward(module: Ensemble, target: Target, straight: Forward) -> Forward:
    """Kept by shapes, not by encoder: its edges come with the weights."""

    def outputs(weights: Weights, inputs: jax.Array) -> jax.Array:
        params = {"params": unflatten_dict(dict(part(weights, "net")), sep=".")}
        layout = Layout(**part(weights, "layout"))  # type: ignore[arg-type]
        members = jnp.asarray(module.apply(params, *encode(inputs, layout)))
        bent = losses.mean_of_members(members, target)
        return jnp.concatenate([bent[:, None], straight(part(weights, "linear"), inputs)], 1)

    return outputs


def _module(encoder: Encoder, options: ModelOptions) -> Ensemble:
    size = encoder.target.size
    return Ensemble(options.members, options.width, size, options.dropout, len(encoder.columns))


@lru_cache
def _member_loss(target: Target) -> Loss:
    """The mean of the members' own losses, shape (n,)."""
    loss = losses.of(target)
    return lambda members, labels: loss(members, labels[:, None]).mean(1)
