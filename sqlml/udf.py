"""What a file in `udfs/` defines, and the way of a batch: Arrow struct → float32 matrix → compiled forward → Arrow."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Forward = Callable[[NDArray[np.float32]], NDArray[np.floating[Any]]]
"""Inputs (columns, rows) with NaN for missing → results, first axis rows."""
BUCKETS = (1, 64, 256, 1024, 2048)
"""Rows a compiled forward is made for; a batch is padded to the next one. DuckDB's own batches hold up to 2048."""


@dataclass(frozen=True)
class Udf:
    """One kind of SQL function. Each file in `udfs/` defines one, named `UDF`; the file is named like the kind.

    Attributes:
        kind: The name of the file.
        returns: SQL type of a result.
        finish: Results of the forward pass, and which rows had input (None: all), → Arrow array, NULL elsewhere.
        asks: What is computed from the inputs: the `answers` of the model, the `effects` of its columns on them, or the
            `curve` of a spend, period by period.
    """

    kind: str
    returns: str
    finish: Callable[[NDArray[np.float32], NDArray[np.bool_] | None], pa.Array]
    asks: str = "answers"


def lists(results: NDArray[np.float32], known: NDArray[np.bool_] | None) -> pa.Array:
    """Results (n, size) as lists, NULL where a row had no input."""
    flat = results.reshape(len(results), -1)
    ends = np.arange(len(flat) + 1, dtype=np.int32) * flat.shape[1]
    mask = None if known is None else pa.array(~known)
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(flat.reshape(-1)), mask=mask)


class Scorer:
    """The Python side of one version's UDF: thread-safe, loads its model at the first call."""

    def __init__(self, udf: Udf, load: Callable[[], Forward]) -> None:
        self._udf, self._load = udf, load
        self._forward: Forward | None = None
        self._lock = threading.Lock()

    def __call__(self, argument: pa.ChunkedArray) -> pa.Array:
        """A batch of structs, one float field a column, in; a batch of results out."""
        structs = argument.chunk(0) if argument.num_chunks == 1 else argument.combine_chunks()
        known = np.asarray(structs.is_valid()) if structs.null_count else None
        if known is not None and not known.any():
            return self._udf.finish(np.zeros(len(structs), np.float32), known)
        size = BUCKETS[-1]
        if len(structs) <= size:
            return self._udf.finish(self._run(structs), known)
        parts = [self._run(structs.slice(start, size)) for start in range(0, len(structs), size)]
        return self._udf.finish(np.concatenate(parts), known)

    def _run(self, structs: pa.StructArray) -> NDArray[np.float32]:
        rows = len(structs)
        size = next(size for size in BUCKETS if size >= rows)
        batch = pa.RecordBatch.from_struct_array(structs).to_tensor(null_to_nan=True, row_major=False)
        inputs = np.asarray(batch).T
        return self._loaded()(inputs if rows == size else np.pad(inputs, ((0, 0), (0, size - rows))))[:rows]

    def _loaded(self) -> Forward:
        if self._forward is None:
            with self._lock:
                self._forward = self._forward or self._load()
        return self._forward
