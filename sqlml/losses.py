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
LARGEST_CORRECTION = 2.0
LEAST_SPREAD, USUAL_SPREAD = 0.01, 0.9


@lru_cache
def of(target: Target) -> Loss:
    """(outputs (..., size), labels (...)) → losses (...); the same object for equal targets.

    An amount has the Tweedie deviance of power 1.5 (Jørgensen 1987): for labels that are zero or positive and skewed; a
    count that of power 1, which is Poisson's.
    Labels of a spend are (spend, orders, exposure); see `ziln`.
    """

    def binary(outputs: jax.Array, labels: jax.Array) -> jax.Array:
        return optax.sigmoid_binary_cross_entropy(outputs[..., 0], labels)

    def classes(outputs: jax.Array, labels: jax.Array) -> jax.Array:
        labels = jnp.broadcast_to(labels, outputs.shape[:-1])
        return optax.softmax_cross_entropy_with_integer_labels(outputs, labels.astype(jnp.int32))

    def value(outputs: jax.Array, labels: jax.Array) -> jax.Array:
        return 0.5 * (outputs[..., 0] - (labels - target.center) / target.scale) ** 2

    def amount(outputs: jax.Array, labels: jax.Array) -> jax.Array:
        link = jnp.clip(outputs[..., 0], -LARGEST_LOG, LARGEST_LOG)
        if target.power == 1:
            return jnp.exp(link) - labels / target.scale * link
        half = link / 2
        return 2 * labels / target.scale * jnp.exp(-half) + 2 * jnp.exp(half)

    def spend(outputs: jax.Array, labels: jax.Array) -> jax.Array:
        return ziln(outputs, labels, target.scale)

    return {"binary": binary, "classes": classes, "value": value, "amount": amount, "spend": spend}[target.kind]


def ziln(outputs: jax.Array, labels: jax.Array, scale: float) -> jax.Array:
    """The zero-inflated lognormal loss (Wang, Liu & Miao 2019, arXiv 1912.07753), with a Poisson one for the orders.

    Outputs are of the whole horizon; a label is of the share `exposure` of it, 0 where nothing was observed. Between
    them the hazard of an order is constant, and orders and spend grow with time. After these three there may be the
    outputs of a simpler model that the outputs correct.
    """
    if labels.shape[-1] > outputs.shape[-1]:
        outputs = corrected(labels[..., 3:], outputs)
    spend, orders, share = labels[..., 0], labels[..., 1], labels[..., 2]
    exposure = jnp.where(share > 0, share, 1.0)
    active, order_log, spend_log, spread = (outputs[..., i] for i in range(4))
    observed = exposed_logit(active, exposure)
    shift = jnp.log(exposure) + jax.nn.log_sigmoid(active) - jax.nn.log_sigmoid(observed)
    is_active, has_spent = orders > 0, (orders > 0) & (spend > 0)
    zero = optax.sigmoid_binary_cross_entropy(observed, is_active.astype(jnp.float32))
    order_log = jnp.clip(order_log + shift, -LARGEST_LOG, LARGEST_LOG)
    count = jnp.exp(order_log) - orders * order_log
    sigma = jax.nn.softplus(spread + USUAL_SPREAD) + LEAST_SPREAD
    mu = jnp.clip(spend_log + shift, -LARGEST_LOG, LARGEST_LOG) - sigma**2 / 2
    miss = (jnp.log(jnp.where(has_spent, spend / scale, 1.0)) - mu) / sigma
    size = 0.5 * miss**2 + jnp.log(sigma)
    return jnp.where(share > 0, zero + jnp.where(is_active, count, 0.0) + jnp.where(has_spent, size, 0.0), 0.0)


def spend_deviance(
    outputs: jax.Array, labels: jax.Array, scale: float, hazard: jax.Array | float, growth: jax.Array | float
) -> jax.Array:
    """What calibrated outputs (n, 4) of a spend miss, (n,): least where activity, orders and spend are right in total.

    Log-loss of activity, Poisson deviances of orders and spend; the hazard of an order grows as time to the power of
    `hazard`, orders and spend as time to the power of `growth`.
    """
    spend, orders, share = labels[..., 0], labels[..., 1], labels[..., 2]
    exposure = jnp.where(share > 0, share, 1.0)
    links = spend_links(outputs)
    observed = exposed_logit(links[..., 0], exposure**hazard)
    logs = links[..., 1:] + growth * jnp.log(exposure)[..., None]
    counts = jnp.stack([orders, spend / scale], -1)
    missed = optax.sigmoid_binary_cross_entropy(observed, (orders > 0).astype(jnp.float32))
    return jnp.where(share > 0, missed + (jnp.exp(logs) - counts * logs).sum(-1), 0.0)


def corrected(base: jax.Array, outputs: jax.Array) -> jax.Array:
    """Outputs of a spend, their logarithms counted from those of a simpler model, from which they stay in reach."""
    logs = LARGEST_CORRECTION * jnp.tanh(outputs[..., 1:3] / LARGEST_CORRECTION)
    return jnp.concatenate([outputs[..., :1], base[..., 1:3] + logs, outputs[..., 3:]], -1)


def exposed_logit(logit: jax.Array, exposure: jax.Array) -> jax.Array:
    """P(any order) in a share of the horizon, as a logit: P(none) to the power of the share."""
    none = exposure * jax.nn.log_sigmoid(-logit)
    return jnp.log(-jnp.expm1(jnp.minimum(none, -1e-7))) - none


def spend_links(outputs: jax.Array) -> jax.Array:
    """Outputs of a spend (..., 4) → logit of P(any order), logarithms of expected orders and of spend: (..., 3)."""
    chance = jax.nn.log_sigmoid(outputs[..., 0])
    logs = jnp.clip(outputs[..., 1:3] + chance[..., None], -LARGEST_LOG, LARGEST_LOG)
    return jnp.concatenate([outputs[..., :1], logs], -1)


def mean_of_members(outputs: jax.Array, target: Target) -> jax.Array:
    """Outputs of the mean answer: (n, members, size) → (n, size)."""
    if target.kind == "binary":
        return jax.scipy.special.logit(jnp.clip(jax.nn.sigmoid(outputs).mean(1), 1e-6, 1 - 1e-6))
    if target.kind == "classes":
        return jnp.log(jnp.clip(jax.nn.softmax(outputs).mean(1), 1e-6))
    if target.kind == "amount":
        return jax.scipy.special.logsumexp(outputs, 1) - jnp.log(outputs.shape[1])
    if target.kind == "spend":
        return _mean_spend(outputs)
    return outputs.mean(1)


def _mean_spend(outputs: jax.Array) -> jax.Array:
    """The members' mean probability, mean orders and mean spend, as outputs."""
    links, count = spend_links(outputs), jnp.log(outputs.shape[1])
    chance = jnp.clip(jax.nn.sigmoid(outputs[..., 0]).mean(1), 1e-6, 1 - 1e-6)
    logs = jax.scipy.special.logsumexp(links[..., 1:], 1) - count - jnp.log(chance)[:, None]
    return jnp.concatenate([jax.scipy.special.logit(chance)[:, None], logs, outputs[..., 3].mean(1)[:, None]], 1)


def blend(outputs: jax.Array, slope: jax.Array, offset: jax.Array) -> jax.Array:
    """The weighted sum of the parts: (n, parts, size) → (n, size)."""
    return jnp.einsum("npo,p->no", outputs, slope) + offset


def carried(link: jax.Array, target: Target, calibration: Calibration) -> jax.Array:
    """Calibrated outputs (n, size) of the window → those of the horizon, of which the answers are made."""
    power = calibration.power
    if power == 1 or target.kind in ("classes", "spend", "segment"):
        return link
    if target.kind == "binary":
        sign = 1 if target.of_nothing else -1
        survived = power * jax.nn.log_sigmoid(sign * link)
        return sign * (survived - jnp.log(-jnp.expm1(jnp.minimum(survived, -1e-7))))
    if target.kind == "amount":
        return link + jnp.log(power)
    return power * link + (power - 1) * target.center / target.scale


def main(link: jax.Array, target: Target) -> jax.Array:
    """The outputs (n, size) that an answer is a function of: of a spend its logarithm alone, (n, 1)."""
    return spend_links(link)[:, 2:] if target.kind == "spend" else link


def answers(outputs: jax.Array | NDArray[np.float32], target: Target, calibration: Calibration) -> jax.Array:
    """Outputs (n, parts, size) → probabilities of the positive class (n,), of each class (n, size), or numbers (n,).

    Of a spend the number is what a customer is expected to spend in the horizon, of segments that of the nearest one.
    """
    link = blend(jnp.asarray(outputs), jnp.asarray(calibration.slope), jnp.asarray(calibration.offset))
    link = carried(link, target, calibration)
    if target.kind == "binary":
        return jax.nn.sigmoid(link[:, 0])
    if target.kind == "classes":
        return jax.nn.softmax(link)
    if target.kind == "segment":
        return jnp.asarray(target.numbers)[link.argmax(1)]
    if target.kind in ("amount", "spend"):
        return target.scale * jnp.exp(jnp.clip(main(link, target)[:, 0], -LARGEST_LOG, LARGEST_LOG))
    return target.center + target.scale * link[:, 0]
