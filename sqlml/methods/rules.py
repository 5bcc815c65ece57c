"""Sequence rules: what comes after an item, weighted by one over the distance (Ludewig & Jannach 2018)."""

from __future__ import annotations

import numpy as np

from sqlml.logs import Log
from sqlml.methods.ranking import Links, Matrix, together

SPAN = 10


def _learn(log: Log) -> Matrix:
    return together(log, lambda distance, later: np.full(len(later), 1 / distance, np.float32), SPAN)


METHOD = Links(_learn)
