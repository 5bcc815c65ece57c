"""`recommend_similar(item, k)`: the items that go with an item."""

from __future__ import annotations

from sqlml.udf import Udf

UDF = Udf(
    kind="similar", returns="STRUCT(item_id VARCHAR, score FLOAT)[]", takes=("VARCHAR", "INTEGER"), asks="similar"
)
