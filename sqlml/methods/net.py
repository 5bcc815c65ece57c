"""The parameter-efficient ensemble over piecewise-linear encodings, blended with a linear model.

The mean of the two outputs ranks as well as the better of them and keeps a linear trend beyond the training range,
where piecewise-linear encodings are flat.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from sqlml import losses, training
from sqlml.encoding import Arrays
from sqlml.losses import Loss
from sqlml.methods import linear
from sqlml.methods.base import Forward, State, Weights, part, silent
from sqlml.models.ensemble import Ensemble, locate
from sqlml.options import ModelOptions
from sqlml.training import Settings, Watch
from sqlml.transforms import Encoder, Target


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
        _prepare(encoder),
        settings,
        (stop.inputs, stop.labels) if stop else None,
        watch,
    )
    flat = flatten_dict(trained.params["params"], sep=".")
    straight = linear.fit(data, encoder, options)
    weights = {f"net.{name}": np.asarray(value) for name, value in flat.items()}
    weights |= {f"linear.{name}": value for name, value in straight.weights.items()}
    return State(weights, trained.epochs, tuple(trained.log))


@lru_cache
def forward(encoder: Encoder, options: ModelOptions) -> Forward:
    """Two parts: the outputs of the members' mean answer, and those of the linear model."""
    module, prepare, straight = _module(encoder, options), _prepare(encoder), linear.forward(encoder, options)

    def outputs(weights: Weights, inputs: jax.Array) -> jax.Array:
        params = {"params": unflatten_dict(dict(part(weights, "net")), sep=".")}
        members = jnp.asarray(module.apply(params, *prepare(inputs)))
        bent = losses.mean_of_members(members, encoder.target)
        return jnp.concatenate([bent[:, None], straight(part(weights, "linear"), inputs)], 1)

    return outputs


def _module(encoder: Encoder, options: ModelOptions) -> Ensemble:
    size = encoder.target.size
    return Ensemble(len(encoder.columns), encoder.rows, options.members, options.width, size, options.dropout)


@lru_cache
def _member_loss(target: Target) -> Loss:
    """The mean of the members' own losses, shape (n,)."""
    loss = losses.of(target)
    return lambda members, labels: loss(members, labels[:, None]).mean(1)


@lru_cache
def _prepare(encoder: Encoder) -> Callable[[jax.Array], tuple[jax.Array, ...]]:
    """Kept by encoder: the training step is compiled once for all folds."""
    layout = encoder.layout
    row = np.arange(layout.edges.shape[1])[None]
    steps = (~layout.is_category[:, None] & (row > 0) & (row <= layout.last[:, None])).astype(np.float32)
    return partial(_locate, encoder=encoder, steps=steps)


def _locate(inputs: jax.Array, encoder: Encoder, steps: np.ndarray) -> tuple[jax.Array, ...]:
    row, fraction = locate(inputs, encoder.layout)
    return row, fraction, jnp.asarray(steps)
