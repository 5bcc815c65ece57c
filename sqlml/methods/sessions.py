"""Nearest histories: those that share most with this one, the latest items first (V-SKNN, Ludewig & Jannach 2018)."""

from __future__ import annotations

import numpy as np
import scipy

from sqlml.logs import Log
from sqlml.methods.base import Weights, one, silent
from sqlml.methods.ranking import DECAY, DECAYS, Scorer, Sparse, decayed, strongest
from sqlml.options import ModelOptions
from sqlml.training import Watch

NEIGHBOURS, MOST_HISTORIES, MOST_SEEN, BLOCK = 200, 100_000, 100, 256
"""Histories that speak for a customer; the newest so many are kept, of each the latest so many events; customers who
are compared with them at once."""


class Sessions:
    """Histories that resemble each other."""

    decays = DECAYS
    is_dense = False
    least_events: float = 0

    def fit(self, log: Log, options: ModelOptions, watch: Watch = silent, start: Weights | None = None) -> Weights:
        """Keep the newest histories, each scaled by how long it is, and how rare every item is."""
        latest = log.where(log.later < MOST_SEEN)
        newest = np.full(len(latest), np.inf)
        np.minimum.at(newest, latest.customers, latest.ages)
        kept = latest.of(np.sort(np.argsort(newest, kind="stable")[:MOST_HISTORIES])).seen
        counts = np.maximum(kept.sum(0), 1)
        watch(1, 1, float("nan"))
        return {
            "starts": kept.indptr.astype(np.int32),
            "items": kept.indices.astype(np.int32),
            "rarity": np.log(kept.shape[0] / counts).astype(np.float32),
            DECAY: one(1),
        }

    def scorer(self, weights: Weights, n_items: int) -> Scorer:
        """What the nearest histories hold, each by how near it is."""
        starts, items = weights["starts"], weights["items"]
        shape = (len(starts) - 1, n_items)
        kept = scipy.sparse.csr_array((np.ones(len(items), np.float32), items, starts), shape=shape)
        scale = 1 / np.sqrt(np.maximum(np.diff(starts), 1)).astype(np.float32)
        towards = scipy.sparse.csr_array((kept * scale[:, None]).T)
        rarity, decay = weights["rarity"], weights[DECAY].item()

        def near(log: Log) -> Sparse:
            histories = log.matrix(log.weights * decayed(log, decay) * rarity[log.items])
            blocks = (histories[start : start + BLOCK] @ towards for start in range(0, len(log), BLOCK))
            nearest = [strongest(block, NEIGHBOURS) @ kept for block in blocks]
            return (
                scipy.sparse.vstack(nearest, "csr")
                if nearest
                else scipy.sparse.csr_array((0, n_items), dtype=np.float32)
            )

        return near


METHOD = Sessions()
