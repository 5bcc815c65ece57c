"""`churn_explain(row)`: the effect of each column on the output."""

from __future__ import annotations

from sqlml.udf import Udf, lists

UDF = Udf(kind="explain", returns="FLOAT[]", finish=lists, asks="effects")
