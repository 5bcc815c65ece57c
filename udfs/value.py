"""`price(row)`: a number."""

from __future__ import annotations

import numpy as np

from sqlml.udf import Udf, numbers

UDF = Udf(kind="value", returns="DOUBLE", finish=numbers(np.float64))
