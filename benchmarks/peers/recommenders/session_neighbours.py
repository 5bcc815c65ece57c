"""V-SKNN (Ludewig & Jannach 2018, arXiv 1803.09587): items of the most similar histories, later steps counting more."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.recommenders import Histories, Lists, Peer, top

LENGTH = 20
"""So many last steps of a history are compared."""


class SessionNeighbours:
    """The `neighbours` most similar of the `sample` newest histories with an item of the one that is asked about.

    Customers are taken to be numbered in the order of time, as sessions are.
    """

    def __init__(self, neighbours: int, sample: int) -> None:
        self.neighbours, self.sample = neighbours, sample

    def fit(self, known: Histories) -> None:
        """Keep the histories, and who had each item."""
        self.had = (known.counts > 0).astype(np.float32).tocsr()
        self.of_item = self.had.tocsc()
        self.of_item.sort_indices()
        self.sizes = np.maximum(np.diff(self.had.indptr), 1)

    def best(self, asked: Histories, n: int, *, rows: NDArray[np.int64] | None, is_repeat: bool) -> Lists:
        """The n best items of each history."""
        found = np.full((asked.shape[0], n), -1)
        for row, (start, end) in enumerate(zip(asked.starts, asked.starts[1:], strict=False)):
            history = asked.items[start:end]
            scores = self._scores(history[-LENGTH:])
            if not is_repeat:
                scores[history] = 0
            scores[scores <= 0] = -np.inf
            found[row] = top(scores[None], n)[0]
        return found

    def _scores(self, steps: NDArray[np.int64]) -> NDArray[np.float32]:
        """Scores (items,) after these steps, 0 for what no neighbour had."""
        items, from_end = np.unique(steps[::-1], return_index=True)
        weights = 1 - from_end / max(1, len(steps))
        holders = [self._holders(item) for item in items]
        if not any(map(len, holders)):
            return np.zeros(self.had.shape[1], np.float32)
        each = np.repeat(weights, [len(who) for who in holders])
        histories, places = np.unique(np.concatenate(holders), return_inverse=True)
        similarity = np.bincount(places, each) / np.sqrt(self.sizes[histories])
        latest = np.zeros(len(histories))
        np.maximum.at(latest, places, each)
        nearest = np.argsort(-similarity, kind="stable")[: self.neighbours]
        votes = (similarity * latest)[nearest].astype(np.float32)
        return np.asarray(self.had[histories[nearest]].T @ votes, np.float32)

    def _holders(self, item: int) -> NDArray[np.int32]:
        """Who had the item, the newest of them."""
        start, end = self.of_item.indptr[item : item + 2]
        return self.of_item.indices[max(start, end - self.sample) : end]


PEER = Peer(tuple(partial(SessionNeighbours, *sizes) for sizes in ((100, 1_000), (500, 2_500))))
