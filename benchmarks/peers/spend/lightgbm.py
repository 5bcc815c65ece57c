"""LightGBM as of a moment: a model of spend (Tweedie), one of orders (Poisson), one of whether there is any."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers import lightgbm
from benchmarks.peers.spend import Forecast


def forecast(
    train_x: NDArray[np.float32],
    spend: NDArray[np.float32],
    orders: NDArray[np.float32],
    test_x: NDArray[np.float32],
    ratio: float,
) -> Forecast:
    """Learn a window, answer for a horizon `ratio` times as long: amounts in proportion, activity at a steady hazard.

    Spend below 0, after refunds, is learnt as 0.
    """
    labels = {"tweedie": np.maximum(spend, 0), "poisson": orders, "binary": (orders > 0).astype(np.float32)}
    found = {objective: lightgbm.scores(train_x, label, test_x, objective) for objective, label in labels.items()}
    return Forecast(ratio * found["tweedie"], ratio * found["poisson"], 1 - (1 - found["binary"]) ** ratio)
