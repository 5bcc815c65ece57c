"""What is popular of late: what events count, half as much after every half-life. The same for everybody."""

from __future__ import annotations

import numpy as np

from sqlml.logs import Log
from sqlml.methods.base import Weights, silent
from sqlml.methods.ranking import Scorer, points
from sqlml.options import ModelOptions
from sqlml.training import Watch

HALF_LIFE, LEAST_LIVES = 30.0, 4
"""Days after which an event counts half; of a shorter log it is this part of what it spans."""


class Popular:
    """Counts, decayed in time."""

    decays: tuple[float, ...] = ()
    is_dense = False
    least_events: float = 0

    def fit(self, log: Log, options: ModelOptions, watch: Watch = silent, start: Weights | None = None) -> Weights:
        """Count the events of each item."""
        if not len(log.items):
            return {"popularity": np.zeros(log.n_items, np.float32)}
        ages = log.ages - log.ages.min()
        half_life = max(min(HALF_LIFE, float(ages.max()) / LEAST_LIVES), 1e-9)
        counts = np.bincount(log.items, log.weights * 0.5 ** (ages / half_life), minlength=log.n_items)
        watch(1, 1, float("nan"))
        return {"popularity": (counts / max(counts.max(), 1e-9)).astype(np.float32)}

    def scorer(self, weights: Weights, n_items: int) -> Scorer:
        """The popularity of every item, the same for all."""
        ready = points(weights["popularity"][:, None])
        return lambda log: ready(np.ones((len(log), 1), np.float32))


METHOD = Popular()
