"""`segment(id)`: the number of a segment."""

from __future__ import annotations

import numpy as np

from sqlml.udf import Udf, numbers

UDF = Udf(kind="segment", returns="INTEGER", finish=numbers(np.int32))
