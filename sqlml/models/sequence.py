"""Nets that read a history of items and say what comes next: at every event, from it and those before it.

Histories stand one after another in rows of equal length, each event with whose it is: nothing is padded, and no state
and no attention passes from one customer to the next.
Sources: GRU4Rec (Hidasi & Karatzoglou 2018, arXiv 1706.03847); SASRec (Kang & McAuley 2018, arXiv 1808.09781), with a
learnt bias by distance (Raffel et al. 2020, arXiv 1910.10683) in the place of positions, so that a row may begin
anywhere in a history; the loss is that of Klenitskiy & Vasilev 2023 (arXiv 2309.07602).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import flax.linen as nn
import jax
import jax.numpy as jnp

NOTHING = -1e9
"""The link of what cannot be."""
Block = Callable[..., nn.Module]


class Recurrent(nn.Module):
    """Values (n, length, width), whose each is (n, length) → states (n, length, width), by gated recurrent units."""

    dropout: float

    @nn.compact
    def __call__(self, values: jax.Array, owners: jax.Array, training: bool) -> jax.Array:
        """Go through each row; where another customer begins, begin anew."""
        is_new = jnp.pad(owners[:, 1:] != owners[:, :-1], ((0, 0), (1, 0)), constant_values=True)
        scan = nn.scan(_Step, variable_broadcast="params", split_rngs={"params": False}, in_axes=1, out_axes=1)
        start = jnp.zeros((values.shape[0], values.shape[2]))
        _, states = scan(values.shape[2])(start, (values, is_new))
        return nn.Dropout(self.dropout)(states, deterministic=not training)


class _Step(nn.Module):
    width: int

    @nn.compact
    def __call__(self, state: jax.Array, given: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        value, is_new = given
        found = nn.GRUCell(self.width)(jnp.where(is_new[:, None], 0, state), value)
        return cast("tuple[jax.Array, jax.Array]", found)


class Attention(nn.Module):
    """Values (n, length, width), whose each is (n, length) → values of the same shape, by causal self-attention."""

    dropout: float
    heads: int = 2

    @nn.compact
    def __call__(self, values: jax.Array, owners: jax.Array, training: bool) -> jax.Array:
        """Attend to what the same customer did before, then a feed-forward layer; both are added to the values."""
        drop = nn.Dropout(self.dropout, deterministic=not training)
        n, length, width = values.shape
        split = nn.Dense(3 * width, use_bias=False)(nn.LayerNorm()(values)).reshape(n, length, 3, self.heads, -1)
        query, key, value = split[:, :, 0], split[:, :, 1], split[:, :, 2]
        distance = jnp.arange(length)[:, None] - jnp.arange(length)
        bias = self.param("bias", nn.initializers.zeros, (self.heads, LONGEST))[:, jnp.maximum(distance, 0)]
        link = jnp.einsum("nqhd,nkhd->nhqk", query, key) / jnp.sqrt(width / self.heads) + bias
        is_past = (distance >= 0) & (owners[:, :, None] == owners[:, None, :])
        link = jnp.where(is_past[:, None], link, NOTHING)
        seen = jnp.einsum("nhqk,nkhd->nqhd", nn.softmax(link), value).reshape(n, length, width)
        values = values + drop(nn.Dense(width, use_bias=False)(seen))
        hidden = nn.gelu(nn.Dense(2 * width)(nn.LayerNorm()(values)))
        return values + drop(nn.Dense(width)(hidden))


LONGEST = 128
"""Events that a row holds at most."""


class NextItem(nn.Module):
    """Items and owners (n, 2, length + 1) → the loss of each next item, (n, length).

    The loss is the softmax among the item that came and so many `negatives`, drawn from all items for every batch; of
    fewer items it is the softmax among all. Items have the same embeddings where they go in and where they come out.
    """

    items: int
    width: int
    layers: int
    block: Block
    negatives: int
    dropout: float

    def setup(self) -> None:
        """The embeddings, and layers over them."""
        self.table = self.param("table", nn.initializers.normal(0.02), (self.items, self.width))
        self.blocks = [self.block(dropout=self.dropout) for _ in range(self.layers)]
        self.drop = nn.Dropout(self.dropout)
        self.norm = nn.LayerNorm()

    def states(self, items: jax.Array, owners: jax.Array, training: bool = False) -> jax.Array:
        """What is known after each event, (n, length, width): its product with an item's embedding is the score."""
        values = self.drop(self.table[items] * jnp.sqrt(self.width), deterministic=not training)
        for block in self.blocks:
            values = block(values, owners, training)
        return cast("jax.Array", self.norm(values))

    def __call__(self, rows: jax.Array, training: bool = False) -> jax.Array:
        """The loss of the item after each event."""
        items, owners = rows[:, 0], rows[:, 1]
        states, following = self.states(items[:, :-1], owners[:, :-1], training), items[:, 1:]
        among = jnp.arange(self.items)
        if self.negatives < self.items:
            key = self.make_rng("dropout") if training else jax.random.PRNGKey(0)
            among = jax.random.randint(key, (self.negatives,), 0, self.items)
        came = (states * self.table[following]).sum(-1, keepdims=True)
        others = jnp.where(among == following[:, :, None], NOTHING, states @ self.table[among].T)
        return nn.logsumexp(jnp.concatenate([came, others], -1), -1) - came[:, :, 0]
