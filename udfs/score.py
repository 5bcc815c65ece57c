"""`churn_score(id)`: a probability."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sqlml.udf import Udf


def _probabilities(results: NDArray[np.float32], known: NDArray[np.bool_] | None) -> pa.Array:
    return pa.array(results, pa.float32(), mask=None if known is None else ~known)


UDF = Udf(kind="score", returns="FLOAT", finish=_probabilities)
