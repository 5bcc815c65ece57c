"""Run in an environment with `lifetimes`: customers as CSV in, what two models expect of them as CSV out.

`python -I buy_till_you_die_fit.py CUSTOMERS FORECASTS MODEL DAYS`. CUSTOMERS has `frequency` (orders after the first),
`recency` and `T` (days from the first order to the last and to now) and `monetary_value` (mean of the orders after the
first), all 0 where there is no order; FORECASTS gets `spend`, `orders` and `active`, in the same order.
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
from lifetimes import BetaGeoFitter, GammaGammaFitter, ParetoNBDFitter
from lifetimes.fitters import BaseFitter

WEEK = 7.0
STARTS = 3
ATTEMPTS: tuple[dict[str, float], ...] = ({}, {"tol": 1e-6}, {"tol": 1e-5}, {"penalty": 0.001}, {"penalty": 0.01})
"""Where nobody seems to stop, the likelihood is flat, and the library's own tolerance is not reached."""


def main(customers: str, forecasts: str, model: str, days: str) -> None:
    """Fit on all customers, forecast all customers."""
    known, weeks = pd.read_csv(customers), float(days) / WEEK
    x, t_x, T = known.frequency, known.recency / WEEK, known["T"] / WEEK
    np.random.seed(0)
    active, orders = {"bgnbd": _bgnbd, "pareto": _pareto}[model](x, t_x, T, weeks)
    is_again = (x > 0) & (known.monetary_value > 0)
    sizes = _fitted(GammaGammaFitter, x[is_again], known.monetary_value[is_again])
    size = sizes.conditional_expected_average_profit(x.where(is_again, 0), known.monetary_value.where(is_again, 0))
    found = pd.DataFrame({"spend": orders * size, "orders": orders, "active": active})
    if not np.isfinite(found).all(axis=None):
        raise ValueError(f"of {(~np.isfinite(found)).any(axis=1).sum()} customers the forecast is not a number")
    found.to_csv(forecasts, index=False)


def _bgnbd(x: pd.Series, t_x: pd.Series, T: pd.Series, weeks: float) -> tuple[pd.Series, pd.Series]:
    model = _fitted(BetaGeoFitter, x, t_x, T)
    r, alpha = model.params_["r"], model.params_["alpha"]
    alive = np.asarray(model.conditional_probability_alive(x, t_x, T))
    active = alive * (1 - ((alpha + T) / (alpha + T + weeks)) ** (r + x))
    return active, model.conditional_expected_number_of_purchases_up_to_time(weeks, x, t_x, T)


def _pareto(x: pd.Series, t_x: pd.Series, T: pd.Series, weeks: float) -> tuple[pd.Series, pd.Series]:
    model = _fitted(ParetoNBDFitter, x, t_x, T, iterative_fitting=STARTS)
    none = model.conditional_probability_of_n_purchases_up_to_time(0, weeks, x, t_x, T)
    return 1 - none, model.conditional_expected_number_of_purchases_up_to_time(weeks, x, t_x, T)


def _fitted(fitter: type[BaseFitter], *data: pd.Series, **settings: int) -> BaseFitter:
    """The model of the first attempt that converges."""
    for attempt in ATTEMPTS:
        penalty = attempt.get("penalty", 0.0)
        more = {name: value for name, value in attempt.items() if name != "penalty"}
        try:
            model = fitter(penalizer_coef=penalty).fit(*data, **settings, **more)
        except Exception as error:  # whatever the optimiser trips over
            print(f"{fitter.__name__}, {attempt}: {str(error).strip().splitlines()[0]}", file=sys.stderr)
            continue
        if np.isfinite(model.params_).all():
            print(f"{fitter.__name__}, {attempt}: {dict(model.params_.round(4))}", file=sys.stderr)
            return model
    raise ValueError(f"{fitter.__name__} does not converge")


if __name__ == "__main__":
    main(*sys.argv[1:])
