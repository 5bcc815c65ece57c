"""A parameter-efficient ensemble of multilayer perceptrons over piecewise-linear encodings.

Sources: BatchEnsemble (Wen, Tran & Ba 2020, arXiv 2002.06715), TabM (Gorishniy et al. 2024, arXiv 2410.24210),
piecewise-linear encoding (Gorishniy et al. 2022, arXiv 2203.05556). Unlike TabM the members share the weights of their
one hidden layer and differ in its scale and shift and in their heads: the encoding and the layer together are one
lookup with interpolation in a table of (columns, rows, width + size), and nothing else multiplies matrices. A second
layer was tried on four tables: it trains and scores at half the speed and ranks no better.
"""

from __future__ import annotations

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from sqlml.transforms import Layout, Matrix


def locate(x: jax.Array, layout: Layout) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Where each value lies in its column's table: row (n, columns), fraction of the way to the next row; steps.

    Values beyond the outer edges stay on them; a missing value lies on the last row; an unknown code on 0.
    """
    missing = jnp.isnan(x)
    value = jnp.clip(jnp.where(missing, 0.0, x), layout.edges[None, :, 0], _pick(layout.edges, layout.last[None]))
    row = jnp.clip((value[..., None] >= layout.edges[None]).sum(-1) - 1, 0, jnp.maximum(layout.last - 1, 0)[None])
    low, high = _pick(layout.edges, row), _pick(layout.edges, row + 1)
    fraction = jnp.where(high > low, (value - low) / (high - low), 0.0)
    return jnp.where(missing, layout.last[None] + 1, row), jnp.where(missing, 0.0, fraction), jnp.asarray(layout.steps)


def _pick(edges: Matrix | jax.Array, row: jax.Array | NDArray[np.int32]) -> jax.Array:
    flat = jnp.asarray(edges).reshape(-1)
    return flat[row + jnp.arange(edges.shape[0])[None] * edges.shape[1]]


class Ensemble(nn.Module):
    """Outputs of each member, shape (n, members, size), from rows and fractions of shape (n, columns)."""

    columns: int
    rows: int
    members: int
    width: int
    size: int
    dropout: float

    @nn.compact
    def __call__(self, row: jax.Array, fraction: jax.Array, steps: jax.Array, training: bool = False) -> jax.Array:
        """`steps` (columns, rows) is 1 where a table row adds to the row before (numbers), 0 where it stands alone."""
        shape = (self.columns, self.rows, self.width + self.size)
        increments = self.param("table", _table_init(self.size), shape)
        added = jnp.cumsum(increments * steps[..., None], axis=1)
        table = jnp.where(steps[..., None] > 0, added, increments)
        first = _lookup(table, row, fraction) + self.param("bias", nn.initializers.zeros, shape[2:])
        hidden, additive = first[:, : self.width], first[:, self.width :]
        scale = self.param("scale", _sign_init, (self.members, self.width))
        shift = self.param("shift", nn.initializers.normal(0.3), (self.members, self.width))
        bent = nn.relu(hidden[:, None, :] * scale[None] + shift[None])
        bent = nn.Dropout(self.dropout, broadcast_dims=(1,), deterministic=not training)(bent)
        head = self.param("head", nn.initializers.normal(self.width**-0.5), (self.members, self.width, self.size))
        offset = self.param("offset", nn.initializers.zeros, (self.members, self.size))
        return jnp.einsum("nkh,kho->nko", bent, head) + offset[None] + additive[:, None]


def _table_init(size: int) -> Callable[[jax.Array, tuple[int, ...]], jax.Array]:
    """Random for the hidden units, zero for the additive part."""

    def init(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        table = jax.random.normal(key, shape) * shape[0] ** -0.5 * 0.5
        return table.at[..., -size:].set(0.0)

    return init


def _sign_init(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    return jax.random.rademacher(key, shape, jnp.float32)


def _lookup(table: jax.Array, row: jax.Array, fraction: jax.Array) -> jax.Array:
    """Sum over the columns of two interpolated table rows: what the full encoding times the table would give."""
    following = jnp.minimum(row + 1, table.shape[1] - 1)

    def add(total: jax.Array, column: tuple[jax.Array, ...]) -> tuple[jax.Array, None]:
        entries, here, after, share = column
        low = entries[here]
        return total + low + (entries[after] - low) * share[:, None], None

    start = jnp.zeros((row.shape[0], table.shape[2]))
    return jax.lax.scan(add, start, (table, row.T, following.T, fraction.T))[0]
