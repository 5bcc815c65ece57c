"""Seconds of two sides that take turns, so that what else the machine does meets both."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

REPEATS = 5


def turns(ours: Callable[[], object], other: Callable[[], object], repeats: int = REPEATS) -> NDArray[np.float64]:
    """Seconds of each, turn by turn, (repeats, 2)."""
    return np.array([(seconds(ours), seconds(other)) for _ in range(repeats)])


def seconds(run_once: Callable[[], object]) -> float:
    """What one run takes."""
    started = time.perf_counter()
    run_once()
    return time.perf_counter() - started
