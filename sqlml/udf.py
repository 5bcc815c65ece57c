"""What a file in `udfs/` defines, and the way of a batch: Arrow struct → float32 matrix → compiled forward → Arrow."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Forward = Callable[[NDArray[np.float32]], NDArray[np.floating[Any]]]
"""Inputs (columns, rows) with NaN for missing → results, first axis rows."""
Kind = TypeVar("Kind")
Answer = Callable[..., pa.Array]
"""What a function takes, as Arrow arrays → its results."""
EVENTS = "STRUCT(events STRUCT(item VARCHAR, weight FLOAT, age DOUBLE)[])"
"""What a customer had to do with items, the earliest first: SQL type of the input of a recommender."""
BUCKETS = (1, 64, 256, 1024, 2048)
"""Rows a compiled forward is made for; a batch is padded to the next one. DuckDB's own batches hold up to 2048."""


Finish = Callable[[NDArray[np.float32], NDArray[np.bool_] | None], pa.Array]
"""Results of the forward pass, and which rows had input (None: all) → Arrow array, NULL elsewhere."""


def numbers(kind: type[np.number]) -> Finish:
    """One number a row."""

    def finish(results: NDArray[np.float32], known: NDArray[np.bool_] | None) -> pa.Array:
        validity = None if known is None else pa.py_buffer(np.packbits(known, bitorder="little"))
        values = np.ascontiguousarray(results, kind)
        buffers = [validity, pa.py_buffer(values)]
        return pa.Array.from_buffers(pa.from_numpy_dtype(kind), len(values), buffers)  # pa.array would import pandas

    return finish


FLOATS = numbers(np.float32)


@dataclass(frozen=True)
class Udf:
    """One kind of SQL function. Each file in `udfs/` defines one, named `UDF`; the file is named like the kind.

    Attributes:
        kind: The name of the file.
        returns: SQL type of a result.
        finish: What becomes of the results.
        asks: What is computed from the inputs: the `answers` of the model, the `effects` of its columns on them, the
            `curve` of a spend, period by period, or of a recommender `items`, `affinities`, `similar`, `candidates`.
        takes: SQL types of the arguments, where they are not one struct of the model's columns: what is asked then
            takes and gives Arrow arrays.
        needs: Kinds that are registered with it.
    """

    kind: str
    returns: str
    finish: Finish = FLOATS
    asks: str = "answers"
    takes: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()

    def side(self, load: Callable[[], Any]) -> Scorer | Answerer:
        """What DuckDB calls; `load` gives the forward pass, or where there are arguments the answer to them."""
        return Answerer(load) if self.takes else Scorer(self, load)


def lists(results: NDArray[np.float32], known: NDArray[np.bool_] | None) -> pa.Array:
    """Results (n, size) as lists, NULL where a row had no input."""
    flat = results.reshape(len(results), -1)
    ends = np.arange(len(flat) + 1, dtype=np.int32) * flat.shape[1]
    mask = None if known is None else pa.array(~known)
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(flat.reshape(-1)), mask=mask)


class Loaded(Generic[Kind]):
    """What is loaded at the first use, once, whatever thread is first."""

    def __init__(self, load: Callable[[], Kind]) -> None:
        self._load = load
        self._found: Kind | None = None
        self._lock = threading.Lock()

    def __call__(self) -> Kind:
        """Load it, or give what was loaded."""
        if self._found is None:
            with self._lock:
                self._found = self._found or self._load()
        return self._found


class Answerer:
    """The Python side of a UDF of two Arrow arrays: thread-safe, loads its model at the first call."""

    def __init__(self, load: Callable[[], Answer]) -> None:
        self._loaded = Loaded(load)

    def __call__(self, of: pa.ChunkedArray, asked: pa.ChunkedArray) -> pa.Array:
        """A batch of arguments in; a batch of results out."""
        return self._loaded()(_whole(of), _whole(asked))


class Scorer:
    """The Python side of one version's UDF: thread-safe, loads its model at the first call."""

    def __init__(self, udf: Udf, load: Callable[[], Forward]) -> None:
        self._udf, self._loaded = udf, Loaded(load)

    def __call__(self, argument: pa.ChunkedArray) -> pa.Array:
        """A batch of structs, a float field or an element of an array a column, in; a batch of results out."""
        structs = _whole(argument)
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
        inputs = _matrix(structs)
        return self._loaded()(inputs if rows == size else np.pad(inputs, ((0, 0), (0, size - rows))))[:rows]


def _matrix(structs: pa.StructArray) -> NDArray[np.float32]:
    """Inputs (columns, rows) of structs whose fields are numbers or arrays of them, an element of which is a column."""
    batch = pa.RecordBatch.from_struct_array(structs)
    if not any(pa.types.is_fixed_size_list(field.type) for field in batch.schema):
        return np.asarray(batch.to_tensor(null_to_nan=True, row_major=False)).T
    return np.concatenate([_columns(values) for values in batch.columns])


def _columns(values: pa.Array) -> NDArray[np.float32]:
    """Numbers as (1, rows), arrays of them as (elements, rows), NaN for what is NULL."""
    if not pa.types.is_fixed_size_list(values.type):
        return np.asarray(values.to_numpy(zero_copy_only=False), np.float32)[None]
    size = values.type.list_size
    elements = values.values.slice(values.offset * size, len(values) * size).to_numpy(zero_copy_only=False)
    return np.where(np.asarray(values.is_valid()), elements.reshape(-1, size).T, np.nan).astype(np.float32)


def _whole(argument: pa.ChunkedArray) -> pa.Array:
    return argument.chunk(0) if argument.num_chunks == 1 else argument.combine_chunks()
