"""Items that are described by the same words: what may be recommended before anybody had anything to do with it.

Every word of a category, a title or a price counts by its rarity; the cosine of two items' words links them (Lops, de
Gemmis & Semeraro 2011, Content-based recommender systems).
"""

from __future__ import annotations

import numpy as np
import scipy

from sqlml.logs import Log
from sqlml.methods.base import Weights, one, silent
from sqlml.methods.ranking import DECAY, DECAYS, Scorer, decayed
from sqlml.options import ModelOptions
from sqlml.training import Watch


class Content:
    """What is said of items."""

    decays = DECAYS
    is_dense = False
    least_events: float = 0

    def fit(self, log: Log, options: ModelOptions, watch: Watch = silent, start: Weights | None = None) -> Weights:
        """Keep which items each word is said of; what the words are is not needed."""
        words = log.words if log.words is not None else scipy.sparse.csr_array((0, log.n_items), dtype=np.float32)
        watch(1, 1, float("nan"))
        starts, items = words.indptr.astype(np.int32), words.indices.astype(np.int32)
        return {"starts": starts, "items": items, "strength": words.data, DECAY: one(1)}

    def scorer(self, weights: Weights, n_items: int) -> Scorer:
        """How much of what was said of the history is said of each item."""
        starts, decay = weights["starts"], weights[DECAY].item()
        words = scipy.sparse.csr_array(
            (weights["strength"], weights["items"], starts), shape=(len(starts) - 1, n_items)
        )
        of_items = scipy.sparse.csr_array(words.T)
        return lambda log: log.matrix(log.weights * decayed(log, decay)) @ of_items @ words


METHOD = Content()
