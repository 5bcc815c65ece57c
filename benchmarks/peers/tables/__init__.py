"""Peers on tables, one a file: `fit(inputs, labels)` gives a function of inputs that returns probabilities.

Inputs are data frames with text, flags, numbers and missing values as they come.
"""

from __future__ import annotations

import pandas as pd

THREADS = 2


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
