"""BG/NBD and Gamma-Gamma: how often and for how much customers buy again, until they stop without saying so.

Sources: Fader, Hardie & Lee 2005, "Counting your customers" the easy way (BG/NBD); Fader & Hardie 2013, The
Gamma-Gamma model of monetary value. A customer buys at a Poisson rate λ ~ Gamma(r, α) and stops after a purchase with
probability p ~ Beta(a, b); the size of a purchase varies around a mean of the customer's own. An order is a day with
purchases, and time counts in weeks.

What is expected of the future is an integral over p, done by Gauss-Legendre quadrature after a substitution that takes
the singularity of the Beta density away. Unlike the textbook's 2F1 it has no pole at a = 1, stays exact where nobody
ever stops (a → 0), and needs no more than float32.

Refunds: every order tells how often a customer buys; each is kept with a probability of the customer's own, which is
Beta(c, d) (beta-binomial), or refunded wholly. Orders that are expected are those that will be kept, and their size is
what refunds left of those kept so far.
"""

from __future__ import annotations

import math
from functools import lru_cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln
from numpy.typing import NDArray

from sqlml.encoding import Arrays
from sqlml.methods import linear
from sqlml.methods.base import Forward, State, Weights, part, silent
from sqlml.methods.linear import Objective, Point
from sqlml.options import ModelOptions
from sqlml.training import Watch
from sqlml.transforms import ORDERS, Encoder, Target

CLOSED = "closed"
Statistic = NDArray[np.float64]
Places = tuple[int | None, ...]
WEEK = 7.0
NODES, LARGEST_LOG, SMALL = 24, 60.0, 1e-5
LEAST = 1e-37
MOST_CUSTOMERS = 100_000
CAUTION = 1e-5
"""A pull of the logarithms of all parameters to 0, so that what the data cannot tell stays finite."""
NO_DROPOUT = 1e-3
"""A mean probability of stopping below this cannot be told from 0."""


class Buyers(NamedTuple):
    """Sufficient statistics, each (n,): orders after the first, weeks from first to last order and from first to now.

    `mean` is the mean amount of the orders kept after the first of them, `all_mean` that of all kept, 0 where unknown;
    `refunded` counts the orders of which refunds left nothing.
    """

    x: jax.Array
    t_x: jax.Array
    T: jax.Array
    mean: jax.Array
    all_mean: jax.Array
    refunded: jax.Array


class Expected(NamedTuple):
    """What is expected of the weeks to come: P(any order kept), orders kept, P(still buying at their end)."""

    active: jax.Array
    orders: jax.Array
    alive: jax.Array


def fit(
    data: Arrays, encoder: Encoder, options: ModelOptions, stop: Arrays | None = None, watch: Watch = silent
) -> State:
    """Maximum likelihood on what was known at the newest moment; no future is needed.

    `data.labels` (n, 3) tell by an exposure of 0 which rows are of the newest moment.
    """
    newest = data.labels[:, 2] == data.labels[:, 2].min()
    rows = np.flatnonzero(newest)
    rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), MOST_CUSTOMERS)).astype(int)]
    known = [np.asarray(each, np.float64) for each in _buyers(data.inputs[rows], places(encoder))]
    with jax.enable_x64(True):
        buying, loss = _fit(_buying_loss, ("r", "alpha", "a", "b"), known[0], known[1], known[2])
        again = known[0] - known[5]
        is_again = (again > 0) & (known[3] > 0)
        sizes = (again[is_again], known[3][is_again])
        if not is_again.any():
            sizes = (np.ones(1), np.full(1, max(float(known[4].mean()), 1e-6)))
        unit = float(sizes[1].mean())
        amounts, _ = _fit(_amount_loss, ("p", "q", "v"), sizes[0], sizes[1] / unit)
        kept = _fit_kept(known[0] + (known[2] > 0), known[5])
    amounts["v"] = amounts["v"] * unit
    watch(1, 1, loss)
    fitted = {**buying, **amounts, **kept}
    found = {f"{CLOSED}.{name}": np.asarray(value, np.float32) for name, value in fitted.items()}
    return State(found, 1, ((loss, math.nan),))


def forward(encoder: Encoder, options: ModelOptions) -> Forward:
    """One part: the outputs of a spend over the horizon."""
    return _forward(places(encoder), encoder.target)


@lru_cache
def _forward(places: Places, target: Target) -> Forward:
    return lambda weights, inputs: outputs(weights, buyers(inputs, places), target)[:, None]


def outputs(weights: Weights, known: Buyers, target: Target) -> jax.Array:
    """Of each customer the four outputs of a spend, (n, 4)."""
    closed = part(weights, CLOSED)
    future = expected(closed, known, target.ends[-1] / WEEK)
    chance = jnp.clip(future.active, 1e-6, 1 - 1e-6)
    each = jnp.log(jnp.maximum(future.orders, 1e-9)) - jnp.log(chance)
    size = jnp.log(jnp.maximum(order_size(closed, known), 1e-6) / target.scale)
    return jnp.stack([jax.scipy.special.logit(chance), each, each + size, jnp.zeros_like(each)], 1)


def places(encoder: Encoder) -> Places:
    """Where the statistics are among the columns; one that is the same for everybody was left out."""
    return tuple(encoder.names.index(name) if name in encoder.names else None for name in ORDERS)


def buyers(inputs: jax.Array | NDArray[np.float32], places: Places) -> Buyers:
    """The statistics among the columns of inputs (n, columns)."""
    x, t_x, T, mean, all_mean, refunded = (
        jnp.zeros(len(inputs)) if place is None else jnp.nan_to_num(inputs[:, place], posinf=0.0, neginf=0.0)
        for place in places
    )
    T = jnp.maximum(T / WEEK, 0.0)
    x = jnp.maximum(x, 0.0)
    refunded = jnp.clip(refunded, 0.0, x + 1)
    return Buyers(x, jnp.clip(t_x / WEEK, 0.0, T), T, jnp.maximum(mean, 0.0), jnp.maximum(all_mean, 0.0), refunded)


_buyers = partial(jax.jit, static_argnames="places")(buyers)


def _fit(objective: Objective, names: tuple[str, ...], *data: Statistic) -> tuple[dict[str, Statistic], float]:
    """The parameters that minimise the objective, which is of their logarithms; rows of weight 0 fill up the arrays."""
    extra = linear.padded(len(data[0])) - len(data[0])
    weight = np.pad(np.full(len(data[0]), 1 / len(data[0])), (0, extra))
    filled = [np.pad(each, (0, extra), mode="edge") for each in data]
    found, loss = linear.minimise(objective, {name: np.zeros((), np.float64) for name in names}, weight, *filled)
    return {name: np.exp(np.asarray(value, np.float64)) for name, value in found.items()}, loss


def _buying_loss(log: Point, weight: jax.Array, x: jax.Array, t_x: jax.Array, T: jax.Array) -> jax.Array:
    r, alpha, a, b = (jnp.exp(log[name]) for name in ("r", "alpha", "a", "b"))
    rate = gammaln(r + x) - gammaln(r) + r * jnp.log(alpha)
    stays = gammaln(a + b) + gammaln(b + x) - gammaln(b) - gammaln(a + b + x)
    left = jnp.log(a) - jnp.log(b + jnp.maximum(x, 1) - 1) - (r + x) * jnp.log(alpha + t_x)
    until = jnp.logaddexp(-(r + x) * jnp.log(alpha + T), jnp.where(x > 0, left, -jnp.inf))
    return -(weight * (rate + stays + until)).sum() + _caution(log)


def _amount_loss(log: Point, weight: jax.Array, x: jax.Array, mean: jax.Array) -> jax.Array:
    p, q, v = (jnp.exp(log[name]) for name in ("p", "q", "v"))
    shape = gammaln(p * x + q) - gammaln(p * x) - gammaln(q) + q * jnp.log(v)
    scale = (p * x - 1) * jnp.log(mean) + p * x * jnp.log(x) - (p * x + q) * jnp.log(v + x * mean)
    return -(weight * (shape + scale)).sum() + _caution(log)


def _fit_kept(orders: Statistic, refunded: Statistic) -> dict[str, Statistic]:
    """How the share of orders that are kept differs between customers: nothing to learn where all were kept."""
    if not refunded.any():
        return {}
    return _fit(_kept_loss, ("c", "d"), np.maximum(orders, refunded), refunded)[0]


def _kept_loss(log: Point, weight: jax.Array, orders: jax.Array, refunded: jax.Array) -> jax.Array:
    c, d = jnp.exp(log["c"]), jnp.exp(log["d"])
    kept = gammaln(c + orders - refunded) - gammaln(c) + gammaln(d + refunded) - gammaln(d)
    return -(weight * (kept + gammaln(c + d) - gammaln(c + d + orders))).sum() + _caution(log)


def _caution(log: Point) -> jax.Array:
    return CAUTION * (jnp.stack([jnp.asarray(value) for value in log.values()]) ** 2).sum()


def expected(closed: Weights, known: Buyers, weeks: float) -> Expected:
    """What is expected of the next `weeks`."""
    r, alpha, a, b = (jnp.asarray(closed[name]) for name in ("r", "alpha", "a", "b"))
    shape, rate, buying, kept = r + known.x, alpha + known.T, alive(closed, known), keeping(closed, known)
    node, weight = (jnp.asarray(each, jnp.float32)[:, None] for each in _legendre())
    rise = jnp.minimum(a, 1.0)
    v = node ** (1 / rise)
    p = -jnp.expm1(jnp.log1p(-jnp.minimum(v, 1 - 1e-7)) / (b + known.x))
    ratio = jnp.where(v > SMALL, p / jnp.maximum(v, SMALL), 1 / (b + known.x))
    powers = (a - 1) * jnp.log(ratio) + (a - rise) * jnp.log(jnp.maximum(v, LEAST))
    weight = weight * jnp.exp(powers - powers.max(0))  # of a large a every power alone is 0 in single precision
    weight = weight / weight.sum(0)
    growth = p * weeks / rate
    stays = shape * jnp.log1p(growth)
    each = jnp.where(stays > SMALL, -jnp.expm1(-stays) / jnp.maximum(p, 1e-30), shape * weeks / rate)
    active = -jnp.expm1(-shape * jnp.log1p(kept * weeks / rate))
    return Expected(buying * active, buying * kept * (weight * each).sum(0), buying * (weight * jnp.exp(-stays)).sum(0))


def keeping(closed: Weights, known: Buyers) -> jax.Array:
    """P(an order is not wholly refunded) of each customer: 1 where no refund was seen in training."""
    if "c" not in closed:
        return jnp.ones_like(known.x)
    c, d = (jnp.asarray(closed[name]) for name in ("c", "d"))
    orders = jnp.maximum(known.x + (known.T > 0), known.refunded)
    return (c + orders - known.refunded) / (c + d + orders)


def alive(closed: Weights, known: Buyers) -> jax.Array:
    """P(has not stopped by now): no forecast of whether the customer will buy in any given time."""
    r, alpha, a, b = (jnp.asarray(closed[name]) for name in ("r", "alpha", "a", "b"))
    silent = (r + known.x) * jnp.log((alpha + known.T) / (alpha + known.t_x))
    left = a / (b + jnp.maximum(known.x, 1) - 1) * jnp.exp(jnp.minimum(silent, LARGEST_LOG))
    return 1 / (1 + jnp.where(known.x > 0, left, 0.0))


def order_size(closed: Weights, known: Buyers) -> jax.Array:
    """The expected amount of an order: the customer's own mean, drawn to everybody's where there are few."""
    p, q, v = (jnp.asarray(closed[name]) for name in ("p", "q", "v"))
    again = jnp.maximum(known.x - known.refunded, 0.0)
    return p * (v + again * known.mean) / jnp.maximum(p * again + q - 1, 1e-2)


@lru_cache
def _legendre() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Nodes and weights on (0, 1), denser at both ends, where the integrand may be steep."""
    place, weight = np.polynomial.legendre.leggauss(NODES)
    place = (place + 1) / 2
    return place**2 * (3 - 2 * place), weight * place * (1 - place)
