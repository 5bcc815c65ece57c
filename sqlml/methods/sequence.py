"""Nets that read histories in their order: how histories become rows, how long to train, and what the next item is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict
from numpy.typing import NDArray

from sqlml import training
from sqlml.logs import Log
from sqlml.methods.base import Weights, part, silent
from sqlml.methods.ranking import Scorer, points
from sqlml.models.sequence import LONGEST, Block, NextItem
from sqlml.options import ModelOptions
from sqlml.training import Settings, Watch

NET = "net"
WIDTH, NEGATIVES, DROPOUT, RATE = 128, 512, 0.3, 2e-3
SHORTEST, WHOLE = 16, 0.95
"""Rows are as long as holds this share of the histories whole, and no shorter."""
BATCH, MOST_EPOCHS = 4096, 20
"""Events in a mini-batch; passes over the data. The loss is not stopped on: ranks go on improving where it does not."""
EVENTS, EASIER = 16_000_000, 2
"""Events that are learnt from, those of all passes together; to go on from what was learnt takes so many times less."""
ROWS_READ = 64
"""Rows that are read at once, each with as many histories as it holds whole."""


@dataclass(frozen=True)
class NextItems:
    """A net as a ranker.

    Attributes:
        block: What a layer is.
        layers: How many there are.
        least_events: See `Ranker`.
    """

    block: Block
    layers: int
    least_events: float
    decays: tuple[float, ...] = ()
    is_dense: bool = False

    def fit(self, log: Log, options: ModelOptions, watch: Watch = silent, start: Weights | None = None) -> Weights:
        """Train on the next item after every event."""
        rows, counts = _rows(log)
        seen = min(len(rows), training.EPOCH_ROWS) * counts.shape[1]
        epochs = int(np.clip(EVENTS // seen, 1, MOST_EPOCHS))
        epochs = epochs if start is None else -(-epochs // EASIER)
        batch = BATCH // (rows.shape[2] - 1)
        trained = training.train(
            self._module(log.n_items),
            _loss,
            rows,
            counts,
            _as_they_are,
            (),
            Settings(epochs, batch, RATE, options.weight_decay, epochs, options.seed),
            watch=watch,
            start=None if start is None else _params(start),
        )
        learnt = flatten_dict(trained.params["params"], sep=".")
        return {f"{NET}.{name}": np.asarray(value) for name, value in learnt.items()}

    def scorer(self, weights: Weights, n_items: int) -> Scorer:
        """The state after the last event, to be multiplied with the items' embeddings."""
        params = jax.device_put(_params(weights))
        ready, module = points(weights[f"{NET}.table"]), self._module(n_items)
        return lambda log: ready(_states(partial(_read, module, params), log))

    def shapes(self, n_items: int) -> Mapping[str, tuple[int, ...]]:
        """What arrays the net is made of."""
        row = np.zeros((1, 2, SHORTEST + 1), np.int32)
        made: Any = jax.eval_shape(self._module(n_items).init, jax.random.PRNGKey(0), row)
        return {f"{NET}.{name}": each.shape for name, each in flatten_dict(made["params"], sep=".").items()}

    def _module(self, n_items: int) -> NextItem:
        return NextItem(n_items, WIDTH, self.layers, self.block, NEGATIVES, DROPOUT)


def _params(weights: Weights) -> training.Params:
    return {"params": unflatten_dict({name: jnp.asarray(value) for name, value in part(weights, NET).items()}, sep=".")}


def _rows(log: Log) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Items and customers (rows, 2, length + 1), and what each next item counts (rows, length), a row together 1.

    A row begins with the event that the one before it ends with. Where another customer's history begins, the next
    item counts 0.
    """
    length = SHORTEST
    while length < min(np.quantile(log.lengths, WHOLE), LONGEST):
        length *= 2
    n = max(-(-(len(log.items) - 1) // length), 1)
    places = np.minimum(np.arange(n)[:, None] * length + np.arange(length + 1), max(len(log.items) - 1, 0))
    rows = np.stack([log.items[places], log.customers[places]], 1).astype(np.int32)
    follows = (rows[:, 1, 1:] == rows[:, 1, :-1]) & (places[:, 1:] > places[:, :-1])
    counts = log.weights[places[:, 1:]] * follows
    return rows, counts / max(float(counts.sum(1).mean()), 1e-9)


def _as_they_are(rows: jax.Array, _: object) -> tuple[jax.Array, ...]:
    return (rows,)


def _loss(losses: jax.Array, counts: jax.Array) -> jax.Array:
    return (losses * counts).sum(1)


def _states(read: Callable[[jax.Array, jax.Array], jax.Array], log: Log) -> NDArray[np.float32]:
    """The state after each history, (customers, WIDTH); of an empty one 0."""
    lengths = np.minimum(log.lengths, LONGEST)
    found = np.zeros((len(log), WIDTH), np.float32)
    ends = np.cumsum(lengths)
    starts = [0]
    while starts[-1] < len(log):  # a row takes as many histories as it holds whole
        taken = ends[starts[-1]] - lengths[starts[-1]] + LONGEST
        starts.append(int(np.searchsorted(ends, taken, "right")))
    for first in range(0, len(starts) - 1, ROWS_READ):
        rows = np.array(starts[first : first + ROWS_READ + 1])
        customers = np.arange(rows[0], rows[-1])
        row = np.repeat(np.arange(len(rows) - 1), np.diff(rows))
        last = ends[customers] - (ends - lengths)[rows[row]] - 1
        shape = (ROWS_READ if row[-1] else 1, LONGEST)
        items, owners = np.zeros(shape, np.int32), np.full(shape, -1, np.int32)
        mine = lengths[customers]
        back = np.repeat(np.cumsum(mine), mine) - 1 - np.arange(mine.sum())
        at = np.repeat(row, mine), np.repeat(last, mine) - back
        items[at] = log.items[np.repeat(log.starts[customers + 1], mine) - 1 - back]
        owners[at] = np.repeat(customers, mine)
        states = np.asarray(read(jnp.asarray(items), jnp.asarray(owners)))
        found[customers] = np.where(mine[:, None] > 0, states[row, last], 0)
    return found


@partial(jax.jit, static_argnums=0)
def _read(module: NextItem, params: training.Params, items: jax.Array, owners: jax.Array) -> jax.Array:
    states: Any = module.apply(params, items, owners, method="states")
    return states
