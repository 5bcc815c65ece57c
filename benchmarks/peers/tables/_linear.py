"""What scikit-learn's models need: one-hot categories, imputed and standardised numbers."""

from __future__ import annotations

import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from benchmarks.peers.tables import categories


def prepared(inputs: pd.DataFrame, model: object) -> Pipeline:
    """The model behind the usual preparation."""
    text = categories(inputs)
    numbers = [name for name in inputs if name not in text]
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", min_frequency=10), text),
        (make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler()), numbers),
    )
    return make_pipeline(columns, model)
