"""Seconds of two sides that take turns, so that what else the machine does meets both; memory of a process."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

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


def compared(found: NDArray[np.float64]) -> tuple[dict[str, object], dict[str, object]]:
    """Of turns (repeats, 2): median seconds and range of each side; ours with the ratio to the other."""
    medians, ratios = np.median(found, 0), found[:, 0] / found[:, 1]
    ours, other = (
        {"seconds": float(medians[side]), "range": [float(found[:, side].min()), float(found[:, side].max())]}
        for side in range(2)
    )
    ratio = {"ratio": float(medians[0] / medians[1]), "ratio_range": [float(ratios.min()), float(ratios.max())]}
    return {**ours, **ratio}, other


def peak() -> float | None:
    """The most memory that this process held, in GiB, where the system tells."""
    status = Path("/proc/self/status")  # what getrusage says, a process has from the one that began it
    if not status.exists():
        return None
    found = next(line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith("VmHWM"))
    return int(found.split()[1]) * 1024 / 2**30
