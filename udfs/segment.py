"""`segment(id)`: the number of a segment."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sqlml.udf import Udf


def _numbers(results: NDArray[np.float32], known: NDArray[np.bool_] | None) -> pa.Array:
    return pa.array(results.astype(np.int32), pa.int32(), mask=None if known is None else ~known)


UDF = Udf(kind="segment", returns="INTEGER", finish=_numbers)
