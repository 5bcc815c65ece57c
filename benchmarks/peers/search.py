"""How the peers are tuned: one setting after the other, each by its loss on held-out training rows."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

THREADS = os.cpu_count() or 1
Settings: TypeAlias = dict[str, object]
Trial = Callable[[Settings], tuple[float, int]]
"""Settings → (loss, number of trees)."""


def coordinates(grid: Mapping[str, Sequence[object]], trial: Trial) -> tuple[Settings, int]:
    """The best settings and their number of trees.

    It starts from the first value of every setting. Then, setting by setting, it tries all values of one and keeps the
    best. Each trial must use one thread: as many run at once as there are cores. OpenMP's own threads wait for each
    other, which takes many times as long on a machine that does other work too.
    """
    best: Settings = {name: values[0] for name, values in grid.items()}
    known: dict[tuple[object, ...], tuple[float, int]] = {}
    with ThreadPoolExecutor(THREADS) as pool:
        for name, values in grid.items():
            tried = [{**best, name: value} for value in values]
            new = [each for each in tried if tuple(each.values()) not in known]
            known |= zip((tuple(each.values()) for each in new), pool.map(trial, new), strict=True)
            best = min(tried, key=lambda each: known[tuple(each.values())][0])
    return best, known[tuple(best.values())][1]
