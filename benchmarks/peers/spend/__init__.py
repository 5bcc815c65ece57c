"""Peers on what customers will buy, one a file: `forecast(...)` gives what the horizon brings of each customer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Forecast:
    """Of each customer, (n,): the spend and the orders in the horizon, and P(any order)."""

    spend: Vector
    orders: Vector
    active: Vector
