"""Feature SQL → examples in a temporary table → fitted encoder → arrays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import duckdb
import numpy as np
from numpy.typing import NDArray

from sqlml import queries
from sqlml.errors import DataError
from sqlml.queries import Behavior, identifier
from sqlml.transforms import Column, Encoder

MOST_LEVELS = 30
LEAST_ROWS = 10
"""A category or a map key seen in fewer rows than this shares the code "other"."""
BOOKKEEPING = ("customer_id", "as_of", "label", "fold", "is_active")


@dataclass(frozen=True)
class Dropped:
    """A feature column that was not used, and why."""

    column: str
    reason: str


@dataclass(frozen=True)
class Arrays:
    """Examples in memory: inputs (n, columns) with NaN for missing, labels (n,), folds of customers (n,)."""

    inputs: NDArray[np.float32]
    labels: NDArray[np.float32]
    folds: NDArray[np.int64]

    def where(self, rows: NDArray[np.bool_]) -> Arrays:
        """Some of the rows."""
        return Arrays(self.inputs[rows], self.labels[rows], self.folds[rows])


@dataclass(frozen=True)
class Source:
    """Where examples come from: the behaviour tables, the label, and which customers count."""

    behavior: Behavior
    attributes: tuple[str, ...]
    label: str
    parameters: Mapping[str, object]
    active_within: timedelta | None
    horizon: timedelta
    folds: int


def build_examples(
    cursor: duckdb.DuckDBPyConnection,
    source: Source,
    table: str,
    cutoffs: Sequence[datetime],
    window: timedelta,
    known_by: datetime,
) -> None:
    """Fill the temporary `table` with (customer_id, as_of, label, fold, is_active, feature columns …).

    `known_by` is the last moment whose events may enter a label.
    """
    _label(cursor, source, cutoffs, window, known_by)
    features = queries.features_of(
        source.behavior,
        source.attributes,
        "SELECT customer_id, as_of FROM temp.sqlml_spine",
        "SELECT *",
    )
    cursor.execute(queries.text("examples/join", table=table, features=features), {"folds": source.folds}).fetchall()


def label_rate(
    cursor: duckdb.DuckDBPyConnection,
    source: Source,
    cutoffs: Sequence[datetime],
    window: timedelta,
    known_by: datetime,
) -> float:
    """The share of TRUE labels over a window after the cut-offs."""
    _label(cursor, source, cutoffs, window, known_by)
    return float(cursor.execute("SELECT avg(label::INT) FROM temp.sqlml_labels").fetchall()[0][0])


def _label(
    cursor: duckdb.DuckDBPyConnection,
    source: Source,
    cutoffs: Sequence[datetime],
    window: timedelta,
    known_by: datetime,
) -> None:
    """Fill the temporary tables `sqlml_spine` and `sqlml_labels`."""
    within = source.active_within.total_seconds() if source.active_within else None
    cursor.execute(
        queries.text("examples/spine", known=queries.known(source.behavior, "c.as_of", "e.")),
        {"cutoffs": list(cutoffs), "within_seconds": within, "horizon_seconds": source.horizon.total_seconds()},
    ).fetchall()
    labels = queries.labels_of(source.behavior, source.label, "temp.sqlml_spine")
    cursor.execute(
        f"CREATE OR REPLACE TEMP TABLE sqlml_labels AS {labels}",
        {**source.parameters, "window_seconds": window.total_seconds(), **_known_by(source.behavior, known_by)},
    ).fetchall()


def _known_by(behavior: Behavior, moment: datetime) -> dict[str, object]:
    return {"known_by": moment} if behavior.has("known_at") else {}


def fit_encoder(
    cursor: duckdb.DuckDBPyConnection, table: str, lookback: timedelta, bins: int
) -> tuple[Encoder, list[Dropped]]:
    """Fit bin edges and vocabularies on the examples in `table`; list what was dropped and why.

    Raises:
        DataError: No column is left to learn from.
    """
    types = {name: str(kind) for name, kind, *_ in cursor.execute(f"DESCRIBE {table}").fetchall()}
    dropped = [
        Dropped(name, f"looks back {queries.window_days(name)} days, the shortest history has {lookback.days}")
        for name in types
        if queries.window_days(name) > lookback.days
    ]
    unusable = {d.column for d in dropped} | set(BOOKKEEPING)
    usable = {name: kind for name, kind in types.items() if name not in unusable}
    expressions = dict(_number_expressions(cursor, table, usable))
    columns = [
        *_fit_numbers(cursor, table, expressions, bins, dropped),
        *_fit_categories(cursor, table, usable, dropped),
    ]
    if not columns:
        raise DataError("No feature column is left: every one is constant. The events of all customers look the same.")
    return Encoder(tuple(columns)), dropped


def _number_expressions(
    cursor: duckdb.DuckDBPyConnection, table: str, types: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    for name, kind in types.items():
        column = identifier(name)
        if kind.startswith("MAP("):
            limits = {"least": LEAST_ROWS, "most": MOST_LEVELS}
            found = cursor.execute(queries.text("encoder/keys", table=table, column=column), limits).fetchall()
            seen: Counter[str] = Counter()
            for (key,) in found:
                seen[key.lower()] += 1
                repeated = f" ({seen[key.lower()]})" if seen[key.lower()] > 1 else ""  # DuckDB's names fold case
                yield f"{name}[{key}]{repeated}", f"{column}[{queries.literal(key)}]::FLOAT"
        elif not _is_category(kind):
            yield name, f"TRY_CAST({column} AS FLOAT)"


def _is_category(kind: str) -> bool:
    return kind in ("VARCHAR", "UUID") or kind.startswith("ENUM(")


def _fit_numbers(
    cursor: duckdb.DuckDBPyConnection,
    table: str,
    expressions: Mapping[str, str],
    bins: int,
    dropped: list[Dropped],
) -> Iterator[Column]:
    if not expressions:
        return
    finite = (f"CASE WHEN isfinite({sql}) THEN {sql} END AS {identifier(n)}" for n, sql in expressions.items())
    fractions = [i / bins for i in range(bins + 1)]
    query = queries.text("encoder/numbers", numbers=f"(SELECT {', '.join(finite)} FROM {table})")
    rows = _count(cursor, table)
    for name, stats in cursor.execute(query, {"fractions": fractions}).fetchall():
        low, high = stats["lowest"], stats["highest"]
        if low is None or (low == high and stats["known"] == rows):
            dropped.append(Dropped(name, "constant"))
            continue
        edges = tuple(np.unique(np.array([low, *stats["edges"], high], np.float32)).tolist())
        edges = edges if len(edges) > 1 else (low, low + 1)
        yield Column(name, expressions[name], edges, mean=stats["mean"], deviation=stats["deviation"] or 1.0)


def _fit_categories(
    cursor: duckdb.DuckDBPyConnection, table: str, types: Mapping[str, str], dropped: list[Dropped]
) -> Iterator[Column]:
    for name, kind in types.items():
        if not _is_category(kind):
            continue
        column = identifier(name)
        limits = {"least": LEAST_ROWS, "most": MOST_LEVELS}
        query = queries.text("encoder/levels", table=table, column=column)
        levels = tuple(level for (level,) in cursor.execute(query, limits).fetchall())
        if not levels:
            dropped.append(Dropped(name, f"no value occurs {LEAST_ROWS} times"))
            continue
        listed = ", ".join(map(queries.literal, levels))
        code = f"coalesce(list_position([{listed}], {column}::VARCHAR), 0)"
        yield Column(name, f"(CASE WHEN {column} IS NOT NULL THEN {code} END)::FLOAT", levels=levels)


def read_arrays(cursor: duckdb.DuckDBPyConnection, table: str, encoder: Encoder) -> Arrays:
    """All examples of `table`, ordered by (as_of, customer_id), as arrays."""
    columns = ", ".join(f"{c.expression} AS {identifier(c.name)}" for c in encoder.columns)
    query = f"SELECT label::FLOAT AS label, fold, {columns} FROM {table} ORDER BY as_of, customer_id"
    read = cursor.sql(query).to_arrow_table()
    label, fold, *inputs = (column.to_numpy(zero_copy_only=False) for column in read.columns)
    return Arrays(np.stack(inputs, 1).astype(np.float32), label.astype(np.float32), fold)


def _count(cursor: duckdb.DuckDBPyConnection, table: str) -> int:
    return int(cursor.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0])
