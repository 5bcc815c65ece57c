"""What `candidates` gives: the items that may be recommended, kept for the calls of the same statement."""

from __future__ import annotations

from sqlml.udf import Udf

UDF = Udf(kind="candidates", returns="BIGINT", takes=("VARCHAR[]", "INTEGER"), asks="candidates")
