"""`recommend_score(id, item)`: how much a customer wants an item."""

from __future__ import annotations

from sqlml.udf import EVENTS, Udf

UDF = Udf(kind="affinity", returns="FLOAT", takes=(EVENTS, "VARCHAR"), asks="affinities")
