"""A spend of the whole horizon, period by period: the closed form says when, the calibrated outputs how much."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from sqlml import losses
from sqlml.methods import bgnbd
from sqlml.methods.base import Weights, part
from sqlml.transforms import Encoder, Target

PARTS = ("orders", "spend", "p_no_order", "p_still_buying")
LEAST_ORDERS = 1e-12


def periods(link: jax.Array, weights: Weights, inputs: jax.Array, encoder: Encoder) -> jax.Array:
    """Calibrated outputs (n, 4) and inputs (n, columns) → `PARTS` of each period, (n, periods, 4).

    Orders and spend are those expected in the period; P(no order) is from now until its end, P(still buying) at its
    end. Within the horizon they follow BG/NBD.
    """
    target = encoder.target
    closed, known = part(weights, bgnbd.CLOSED), bgnbd.buyers(inputs, bgnbd.places(encoder))
    ends = np.array(target.ends)
    futures = [bgnbd.expected(closed, known, end / bgnbd.WEEK) for end in ends]
    active, orders, alive = (jnp.stack(each, 1) for each in zip(*futures, strict=True))
    share = jnp.where(
        orders[:, -1:] > LEAST_ORDERS, orders / jnp.maximum(orders[:, -1:], LEAST_ORDERS), ends / ends[-1]
    )
    share = jnp.diff(share, axis=1, prepend=0.0)
    links = losses.spend_links(link)
    chance = jax.nn.sigmoid(links[:, :1])
    lift = chance / jnp.maximum(active[:, -1:], LEAST_ORDERS)
    amounts = [share * jnp.exp(links[:, 1:2]), share * jnp.exp(links[:, 2:3]) * target.scale]
    return jnp.stack([*amounts, 1 - jnp.minimum(lift * active, chance), jnp.clip(lift * alive, 0, 1)], 2)


def value(found: NDArray[np.float64], target: Target) -> NDArray[np.float64]:
    """What the spend of all periods (n, periods, 4) is worth today, (n,)."""
    return found[:, :, PARTS.index("spend")] @ np.array(target.discounts)
