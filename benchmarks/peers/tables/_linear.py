"""What scikit-learn's models need: one-hot categories, imputed and standardised numbers; and how they are tuned."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from benchmarks.peers.search import THREADS
from benchmarks.peers.tables import TUNING_SEED, categories, parts, with_text

LOGARITHMS = "columntransformer__numbers__logarithms"


def tuned(
    inputs: pd.DataFrame, labels: NDArray[np.int64], model: object, grid: Mapping[str, Sequence[object]], folds: int
) -> Callable[[pd.DataFrame], NDArray[np.float64]]:
    """The model with the best log-loss in folds of the training rows, of the settings of `grid`.

    Numbers come as they are or as signed logarithms, whichever does better. A setting is tried in a process with one
    thread, as many at once as there are cores.
    """
    steps = make_pipeline(_columns(inputs), model)
    name, _ = steps.steps[-1]
    settings = {f"{name}__{setting}": values for setting, values in grid.items()}
    settings[LOGARITHMS] = ["passthrough", FunctionTransformer(_signed_log)]
    search = GridSearchCV(
        steps, settings, scoring="neg_log_loss", cv=parts(inputs, labels, folds, TUNING_SEED), n_jobs=THREADS
    )
    with threadpool_limits(1):
        found = search.fit(with_text(inputs), labels)
    return lambda rows: np.asarray(found.predict_proba(with_text(rows))[:, 1], np.float64)


def _columns(inputs: pd.DataFrame) -> ColumnTransformer:
    text = categories(inputs)
    numbers = Pipeline(
        [
            ("logarithms", "passthrough"),
            ("missing", SimpleImputer(strategy="median", add_indicator=True)),
            ("scale", StandardScaler()),
        ]
    )
    return ColumnTransformer(
        [
            ("text", OneHotEncoder(handle_unknown="ignore", min_frequency=10), text),
            ("numbers", numbers, [name for name in inputs if name not in text]),
        ]
    )


def _signed_log(inputs: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.sign(inputs) * np.log1p(np.abs(inputs))
