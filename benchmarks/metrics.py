"""Quality as the package's own SQL counts it."""

from __future__ import annotations

from collections.abc import Mapping

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sqlml import queries


def measured(
    con: duckdb.DuckDBPyConnection,
    kind: str,
    labels: NDArray[np.generic] | pa.Array,
    scores: Mapping[str, NDArray[np.float64]],
) -> dict[str, dict[str, float]]:
    """Method → its metrics by `sql/metrics/<kind>.sql`, of labels (n,) and scores (n,) a method."""
    n = len(labels)
    tables = [pa.table({"part": [method] * n, "label": labels, "score": score, "weight": np.ones(n)})
              for method, score in scores.items()]  # fmt: skip
    con.register("benchmark_predictions", pa.concat_tables(tables))
    query = f"WITH predictions AS (FROM benchmark_predictions) SELECT * FROM ({queries.text(f'metrics/{kind}')})"
    found = con.execute(query)
    names = [column for column, *_ in found.description or ()][1:]
    by_method = {part: dict(zip(names, row, strict=True)) for part, *row in found.fetchall()}
    con.unregister("benchmark_predictions")
    return by_method
