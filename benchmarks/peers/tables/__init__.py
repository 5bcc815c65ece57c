"""Peers on tables, one a file: `fit(inputs, labels)` gives a function of inputs that returns probabilities.

Inputs are data frames with text, flags, numbers and missing values as they come. A peer named `..._tuned` chooses its
settings and its number of trees inside the training rows, as `logistic` and `mlp` do; `..._default` takes those of the
library.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

Part = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Training rows and held-out rows."""
TUNING_SEED = 1


def parts(inputs: pd.DataFrame, labels: NDArray[np.int64], n: int, seed: int) -> list[Part]:
    """Stratified folds of the rows; rows with equal inputs lie on the same side of each."""
    groups, _ = pd.factorize(pd.util.hash_pandas_object(inputs, index=False).to_numpy())
    _, first = np.unique(groups, return_index=True)
    folds = StratifiedKFold(n, shuffle=True, random_state=seed).split(first, labels[first])
    held_out = (np.isin(groups, tested) for _, tested in folds)
    return [(np.flatnonzero(~is_out), np.flatnonzero(is_out)) for is_out in held_out]


def categories(inputs: pd.DataFrame) -> list[str]:
    """The columns that are not numbers."""
    return [name for name in inputs if not pd.api.types.is_numeric_dtype(inputs[name]) or inputs[name].dtype == bool]


def with_text(inputs: pd.DataFrame) -> pd.DataFrame:
    """Categories as text, missing ones too."""
    return inputs.assign(**{name: inputs[name].astype(str) for name in categories(inputs)})


def with_codes(inputs: pd.DataFrame, levels: dict[str, pd.Index]) -> pd.DataFrame:
    """Categories as pandas categories with the levels of the training rows."""
    return inputs.assign(**{name: pd.Categorical(inputs[name].astype(str), found) for name, found in levels.items()})


def levels(inputs: pd.DataFrame) -> dict[str, pd.Index]:
    """The levels of each category."""
    return {name: pd.Index(sorted(inputs[name].astype(str).unique())) for name in categories(inputs)}
