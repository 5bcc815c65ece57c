"""BG/NBD and Pareto/NBD, each with Gamma-Gamma, of the library lifetimes.

It needs an older numpy and pandas, so it runs in an environment of its own.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pandas as pd

from benchmarks.peers.environment import LIFETIMES
from benchmarks.peers.spend import Forecast

MODELS = {"BG/NBD + Gamma-Gamma": "bgnbd", "Pareto/NBD + Gamma-Gamma": "pareto"}
COLUMNS = ["frequency", "recency", "T", "monetary_value"]
SCRIPT = Path(__file__).with_name("buy_till_you_die_fit.py")


def forecast(known: pd.DataFrame, horizon: int, model: str) -> Forecast:
    """Of customers with `COLUMNS`, times in days; `model` is one of the values of `MODELS`.

    Raises:
        PeerError: The fit fails, or what it forecasts is not a number.
    """
    LIFETIMES.prepare()
    with tempfile.TemporaryDirectory() as folder:
        customers, forecasts = Path(folder) / "customers.csv", Path(folder) / "forecasts.csv"
        known[COLUMNS].to_csv(customers, index=False)
        LIFETIMES.run(SCRIPT, str(customers), str(forecasts), model, str(horizon))
        found = pd.read_csv(forecasts)
    return Forecast(*(found[name].to_numpy() for name in ("spend", "orders", "active")))
