"""`churn_score(id)`: a probability."""

from __future__ import annotations

from sqlml.udf import Udf

UDF = Udf(kind="score", returns="FLOAT")
