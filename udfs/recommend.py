"""`recommend(id, k)`: the items that a customer wants next."""

from __future__ import annotations

from sqlml.udf import EVENTS, Udf

UDF = Udf(
    kind="recommend",
    returns="STRUCT(item_id VARCHAR, score FLOAT, reason VARCHAR)[]",
    takes=(EVENTS, "STRUCT(k INTEGER, among BIGINT)"),
    asks="items",
    needs=("candidates",),
)
