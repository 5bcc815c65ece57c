"""BG/NBD and Pareto/NBD, each with Gamma-Gamma, of the library lifetimes.

It needs an older numpy and pandas, so it runs in an environment of its own, made once and kept in the cache folder.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

from benchmarks.peers.spend import Forecast, PeerError

MODELS = {"BG/NBD + Gamma-Gamma": "bgnbd", "Pareto/NBD + Gamma-Gamma": "pareto"}
COLUMNS = ["frequency", "recency", "T", "monetary_value"]
REQUIREMENTS = ("lifetimes==0.11.3", "numpy==1.26.4", "pandas==2.1.4", "scipy==1.11.4")
SCRIPT = Path(__file__).with_name("buy_till_you_die_fit.py")
CACHE = "XDG_CACHE_HOME"


def is_here() -> bool:
    """Whether the environment was made."""
    return _mark().exists()


def prepare() -> None:
    """Make the environment where there is none.

    Raises:
        PeerError: It cannot be made.
    """
    if is_here():
        return
    _call(sys.executable, "-m", "venv", "--clear", str(_folder()))
    _call(str(_python()), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *REQUIREMENTS)
    _mark().touch()


def forecast(known: pd.DataFrame, horizon: int, model: str) -> Forecast:
    """Of customers with `COLUMNS`, times in days; `model` is one of the values of `MODELS`.

    Raises:
        PeerError: The fit fails, or what it forecasts is not a number.
    """
    prepare()
    with tempfile.TemporaryDirectory() as folder:
        customers, forecasts = Path(folder) / "customers.csv", Path(folder) / "forecasts.csv"
        known[COLUMNS].to_csv(customers, index=False)
        _call(str(_python()), "-I", "-W", "ignore", str(SCRIPT), str(customers), str(forecasts), model, str(horizon))
        found = pd.read_csv(forecasts)
    return Forecast(*(found[name].to_numpy() for name in ("spend", "orders", "active")))


def _call(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    print(done.stderr, end="", file=sys.stderr)
    if done.returncode:
        raise PeerError((done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1])


def _folder() -> Path:
    return (
        Path(os.environ.get(CACHE) or Path.home() / ".cache") / "sqlml-benchmarks" / REQUIREMENTS[0].replace("==", "-")
    )


def _mark() -> Path:
    """Written last, so that half an environment does not count."""
    return _folder() / "complete"


def _python() -> Path:
    return _folder() / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
