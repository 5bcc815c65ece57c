"""`species_proba(row)`: a probability a class, in the order of the classes."""

from __future__ import annotations

from sqlml.udf import Udf, lists

UDF = Udf(kind="proba", returns="FLOAT[]", finish=lists)
