"""SASRec (Kang & McAuley 2018, arXiv 1808.09781) of the library RecTools, which needs torch and an older numpy.

It runs in an environment of its own: `python -m benchmarks --prepare` makes it.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.peers.environment import RECTOOLS
from benchmarks.peers.recommenders import Histories, Lists

NAME = "SASRec (RecTools)"
SCRIPT = Path(__file__).with_name("sasrec_fit.py")
ABSENT = "not run: its environment is absent, `python -m benchmarks --prepare` makes it"


@dataclass(frozen=True)
class Answer:
    """What it recommends, its seconds, and how long it was trained."""

    lists: Lists
    fit: float
    score: float
    note: str


def recommend(known: Histories, rows: NDArray[np.int64], n: int, budget: float) -> Answer:
    """The n best items, new ones alone, of the customers at these rows of what it is fitted to.

    `budget` are the seconds of the training, each of all cores.

    Raises:
        PeerError: The fit fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        steps, asked, lists, record = (str(Path(folder) / name) for name in ("steps", "asked", "lists", "record"))
        pd.DataFrame({"user_id": known.customers, "item_id": known.items}).to_csv(steps, index=False)
        pd.DataFrame({"user_id": rows}).to_csv(asked, index=False)
        RECTOOLS.run(SCRIPT, steps, asked, lists, record, str(n), str(budget))
        found, said = pd.read_csv(lists), json.loads(Path(record).read_text(encoding="utf-8"))
    best = np.full((len(rows), n), -1)
    places = pd.Series(np.arange(len(rows)), rows)[found["user_id"]].to_numpy()
    best[places, found["rank"].to_numpy() - 1] = found["item_id"]
    return Answer(best, said["fit"], said["score"], said["note"])
