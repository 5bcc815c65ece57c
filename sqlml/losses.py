"""What each kind of target means to JAX: its loss, an ensemble's mean answer, the way from outputs to answers."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import NDArray

from sqlml.transforms import Calibration, Target

Loss = Callable[[jax.Array, jax.Array], jax.Array]
LARGEST_LOG = 30.0


@lru_cache
def of(target: Target) -> Loss:
    """(outputs (..., size), labels (...)) → losses (...); the same object for equal targets.

    An amount has the Tweedie deviance of power 1.5 (Jørgensen 1987): for labels that are zero or positive and skewed.
    """

    def binary(outputs: jax.Array, labels: jax.Array) -> jax.Array:
        return optax.sigmoid_binary_cross_entropy(outputs[..., 0], labels)

    def classes(outputs: jax.Array, labels: jax.Array) -> jax.Array:
        labels = jnp.broadcast_to(labels, outputs.shape[:-1])
        return optax.softmax_cross_entropy_with_integer_labels(outputs, labels.astype(jnp.int32))

    def value(outputs: jax.Array, labels: jax.Array) -> jax.Array:
        return 0.5 * (outputs[..., 0] - (labels - target.center) / target.scale) ** 2

    def amount(outputs: jax.Array, labels: jax.Array) -> jax.Array:
        half = jnp.clip(outputs[..., 0], -LARGEST_LOG, LARGEST_LOG) / 2
        return 2 * labels / target.scale * jnp.exp(-half) + 2 * jnp.exp(half)

    return {"binary": binary, "classes": classes, "value": value, "amount": amount}[target.kind]


def mean_of_members(outputs: jax.Array, target: Target) -> jax.Array:
    """Outputs of the mean answer: (n, members, size) → (n, size)."""
    if target.kind == "binary":
        return jax.scipy.special.logit(jnp.clip(jax.nn.sigmoid(outputs).mean(1), 1e-6, 1 - 1e-6))
    if target.kind == "classes":
        return jnp.log(jnp.clip(jax.nn.softmax(outputs).mean(1), 1e-6))
    if target.kind == "amount":
        return jax.scipy.special.logsumexp(outputs, 1) - jnp.log(outputs.shape[1])
    return outputs.mean(1)


def blend(outputs: jax.Array, slope: jax.Array, offset: jax.Array) -> jax.Array:
    """The weighted sum of the parts: (n, parts, size) → (n, size)."""
    return jnp.einsum("npo,p->no", outputs, slope) + offset


def carried(link: jax.Array, target: Target, calibration: Calibration) -> jax.Array:
    """Calibrated outputs (n, size) of the window → those of the horizon, of which the answers are made."""
    power = calibration.power
    if power == 1 or target.kind == "classes":
        return link
    if target.kind == "binary":
        sign = 1 if target.of_nothing else -1
        survived = power * jax.nn.log_sigmoid(sign * link)
        return sign * (survived - jnp.log(-jnp.expm1(jnp.minimum(survived, -1e-7))))
    if target.kind == "amount":
        return link + jnp.log(power)
    return power * link + (power - 1) * target.center / target.scale


def answers(outputs: jax.Array | NDArray[np.float32], target: Target, calibration: Calibration) -> jax.Array:
    """Outputs (n, parts, size) → probabilities of the positive class (n,), of each class (n, size), or numbers (n,)."""
    link = blend(jnp.asarray(outputs), jnp.asarray(calibration.slope), jnp.asarray(calibration.offset))
    link = carried(link, target, calibration)
    if target.kind == "binary":
        return jax.nn.sigmoid(link[:, 0])
    if target.kind == "classes":
        return jax.nn.softmax(link)
    if target.kind == "amount":
        return target.scale * jnp.exp(jnp.clip(link[:, 0], -LARGEST_LOG, LARGEST_LOG))
    return target.center + target.scale * link[:, 0]
