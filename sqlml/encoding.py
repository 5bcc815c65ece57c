"""Input expressions over a table of examples → fitted encoder → arrays. Everything is fitted in SQL."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import duckdb
import numpy as np
from numpy.typing import NDArray

from sqlml import queries
from sqlml.errors import DataError
from sqlml.queries import identifier
from sqlml.transforms import Column, Encoder, Target

SKEWED = 2.0
"""A label without negative values is an amount from this skewness on."""
LARGEST_COUNT = 10
"""The mean from which a count is any other number."""
FILLED_BINS = 2
"""A value that fills so many bins of a number is a level of its own beside them, such as the zero of a balance."""
BATCH = 16_384
"""Rows that are read at a time."""
HUGE, LEAST_SPREAD = 1e30, 1e-5
"""A number to predict is smaller than this, and its deviation at least such a share of the largest."""
LEAST_ROWS = 10
"""A category or a map key seen in fewer rows than this shares the code "other"."""


@dataclass(frozen=True)
class Input:
    """A raw input: an SQL expression over the examples, a number or a category, and the column it was made from.

    `share` is that of the rows in which a flag is 1, of those in which it is known; the others as of a `Column`.
    """

    name: str
    source: str
    expression: str
    is_category: bool = False
    share: float | None = None
    values: str = ""
    element: str = ""
    is_read: bool = False


@dataclass(frozen=True)
class Dropped:
    """A column that was not used, and why."""

    column: str
    reason: str


@dataclass(frozen=True)
class Arrays:
    """Examples in memory: inputs (n, columns) with NaN for missing, labels (n,), folds (n,).

    Labels of a spend are (n, 3): the spend, the orders, and what share of the horizon they are of. The numbers 2f and
    2f + 1 in `folds` are the two halves of fold f; where rows are segmented, each customer has a number.
    """

    inputs: NDArray[np.float32]
    labels: NDArray[np.float32]
    folds: NDArray[np.int64]

    def where(self, rows: NDArray[np.bool_]) -> Arrays:
        """The rows that are marked."""
        return self.at(np.flatnonzero(rows))

    def at(self, places: NDArray[np.int64]) -> Arrays:
        """The rows at these places, as often as they are named."""
        return Arrays(self.inputs[places], self.labels[places], self.folds[places])

    def halves(self) -> list[Arrays]:
        """The rows in two parts, by the half of their fold; one part where the other is empty."""
        parts = (self.where(self.folds % 2 == half) for half in range(2))
        return [part for part in parts if len(part.labels)]

    @property
    def truth(self) -> NDArray[np.float32]:
        """What answers are compared with, (n,)."""
        return self.labels if self.labels.ndim == 1 else self.labels[:, 0]

    @property
    def mean(self) -> float:
        """The mean label, of a spend that of a whole horizon."""
        return float(self.labels.mean() if self.labels.ndim == 1 else self.labels[:, 0].sum() / self.labels[:, 2].sum())


def is_category(kind: str) -> bool:
    """Whether values of a DuckDB type are levels and not amounts."""
    return kind in ("VARCHAR", "UUID") or kind.startswith("ENUM(")


def is_integer(kind: str) -> bool:
    """Whether a DuckDB type holds whole numbers."""
    return kind.endswith(("INT", "INTEGER"))


def is_number(kind: str) -> bool:
    """Whether values of a DuckDB type can be added up."""
    return kind in ("FLOAT", "DOUBLE") or kind.startswith("DECIMAL") or is_integer(kind)


def number_target(cursor: duckdb.DuckDBPyConnection, table: str, label: str) -> Target:
    """What kind of number a column of `table` is; whole numbers from 0 on that are small on average are counts.

    Raises:
        DataError: Its values are out of the reach of FLOAT, which is learnt and answered in.
    """
    largest = f"SELECT max(abs(v)) FROM (SELECT {label}::DOUBLE AS v FROM {table}) WHERE isfinite(v)"
    most = cursor.execute(largest).fetchall()[0][0]
    if not 1 / HUGE < most < HUGE:
        raise DataError(f"The number to predict is as large as {most:.3g}: learn from it in another unit.")
    query = f"""SELECT min(v), avg(v), stddev_pop(v), skewness(v), bool_and(v = floor(v))
                FROM (SELECT {label}::DOUBLE AS v FROM {table}) WHERE isfinite(v)"""
    least, mean, deviation, skewness, is_whole = cursor.execute(query).fetchall()[0]
    if deviation < LEAST_SPREAD * most:
        raise DataError(
            f"The number to predict differs by {deviation:.3g} about {mean:.9g}, which seven digits do not tell: "
            f"learn from what it has above a fixed number, such as label - {mean:.9g}."
        )
    if is_whole and least == 0 and mean < LARGEST_COUNT:
        return Target("amount", scale=mean, power=1.0)
    if least >= 0 and (skewness or 0) >= SKEWED:
        return Target("amount", scale=mean)
    return Target("value", center=mean, scale=deviation)


def fit(
    cursor: duckdb.DuckDBPyConnection, table: str, inputs: Sequence[Input], bins: int, most_levels: int, target: Target
) -> tuple[Encoder, list[Dropped]]:
    """Fit bin edges and vocabularies on the rows of `table`; list what was dropped and why.

    Raises:
        DataError: No column is left to learn from.
    """
    dropped: list[Dropped] = []
    inputs = list(_told_apart(inputs))
    columns = [
        *_fit_numbers(cursor, table, [i for i in inputs if not i.is_category and i.share is None], bins, dropped),
        *_flags(inputs, dropped),
        *_fit_categories(cursor, table, [i for i in inputs if i.is_category], most_levels, dropped),
    ]
    if not columns:
        raise DataError("No column is left to learn from: every one is constant.")
    return Encoder(tuple(columns), target), dropped


def _told_apart(inputs: Sequence[Input]) -> Iterator[Input]:
    """DuckDB's names fold case: two that differ in nothing else cannot be fields of one struct."""
    seen: Counter[str] = Counter()
    for each in inputs:
        seen[each.name.lower()] += 1
        count = seen[each.name.lower()]
        yield replace(each, name=f"{each.name} ({count})") if count > 1 else each


def _fit_numbers(
    cursor: duckdb.DuckDBPyConnection, table: str, inputs: Sequence[Input], bins: int, dropped: list[Dropped]
) -> Iterator[Column]:
    if not inputs:
        return
    finite = (f"CASE WHEN isfinite({i.expression}) THEN {i.expression} END AS {identifier(i.name)}" for i in inputs)
    fractions = [i / bins for i in range(bins + 1)]
    query = queries.text("encoder/numbers", numbers=f"(SELECT {', '.join(finite)} FROM {table})")
    rows = int(cursor.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0])
    found = dict(cursor.execute(query, {"fractions": fractions}).fetchall())
    for raw in inputs:
        stats = found[raw.name]
        low, high = stats["lowest"], stats["highest"]
        if low is None or (low == high and stats["known"] == rows):
            dropped.append(Dropped(raw.name, "constant"))
            continue
        values, filled = np.unique(np.array(stats["edges"], np.float32), return_counts=True)
        edges = tuple(np.unique(np.array([low, *values, high], np.float32)).tolist())
        edges = edges if len(edges) > 1 else (low, low + max(1.0, abs(low)))
        spikes = tuple(values[filled > FILLED_BINS].tolist())
        spread = stats["deviation"] or 1.0
        yield Column(
            raw.name,
            raw.source,
            raw.expression,
            edges,
            spikes,
            mean=stats["mean"],
            deviation=spread,
            is_read=raw.is_read,
        )


def _flags(inputs: Sequence[Input], dropped: list[Dropped]) -> Iterator[Column]:
    """However many flags there are, they are fitted without reading a row: their share says it all."""
    one = math.log(2)
    for raw in inputs:
        if raw.share is not None and raw.share >= 1:
            dropped.append(Dropped(raw.name, "constant"))
        elif raw.share is not None:
            spread = one * math.sqrt(raw.share * (1 - raw.share))
            yield Column(raw.name, raw.source, raw.expression, (0.0, 1.0), mean=one * raw.share, deviation=spread,
                         values=raw.values, element=raw.element)  # fmt: skip


def of_values(name: str, values: NDArray[np.float32], bins: int) -> Column:
    """A number that was computed and not read, from finite values (n,) on the training rows."""
    edges = np.unique(np.quantile(values, np.linspace(0, 1, bins + 1)).astype(np.float32))
    if len(edges) == 1:
        edges = np.array([edges[0], edges[0] + max(1.0, abs(edges[0]))], np.float32)
    logarithm = np.sign(values) * np.log1p(np.abs(values))
    spread = float(logarithm.std()) or 1.0
    return Column(name, name, name, tuple(edges.tolist()), mean=float(logarithm.mean()), deviation=spread)


def _fit_categories(
    cursor: duckdb.DuckDBPyConnection, table: str, inputs: Sequence[Input], most: int, dropped: list[Dropped]
) -> Iterator[Column]:
    for raw in inputs:
        query = queries.text("encoder/levels", table=table, column=raw.expression)
        found = cursor.execute(query, {"least": LEAST_ROWS, "most": most}).fetchall()
        levels = tuple(level for (level,) in found)
        if not levels:
            dropped.append(Dropped(raw.name, f"no value occurs {LEAST_ROWS} times"))
            continue
        listed = ", ".join(map(queries.literal, levels))
        code = f"coalesce(list_position([{listed}], {raw.expression}::VARCHAR), 0)"
        expression = f"(CASE WHEN {raw.expression} IS NOT NULL THEN {code} END)::FLOAT"
        yield Column(raw.name, raw.source, expression, levels=levels)


def read_arrays(
    cursor: duckdb.DuckDBPyConnection, table: str, encoder: Encoder, labels: Sequence[str], fold: str, order: str
) -> Arrays:
    """All rows of `table`, in the order named, as arrays; what DuckDB gives is held a batch at a time."""
    columns = ", ".join(f"{c.expression} AS {identifier(c.name)}" for c in encoder.columns)
    listed = ", ".join(f"({label})::FLOAT" for label in labels)
    (rows,) = cursor.execute(f"SELECT count(*) FROM {table}").fetchall()[0]
    folds = np.empty(rows, np.int64)
    known, inputs = (np.empty((rows, size), np.float32) for size in (len(labels), len(encoder.columns)))
    query = f"SELECT {fold}, {listed}, {columns} FROM {table} ORDER BY {order}"
    start = 0
    for batch in cursor.sql(query).to_arrow_reader(BATCH):
        part = slice(start, start + batch.num_rows)
        folds[part], *found = (column.to_numpy(zero_copy_only=False) for column in batch.columns)
        known[part] = np.stack(found[: len(labels)], 1)
        inputs[part] = np.stack(found[len(labels) :], 1)
        start = part.stop
    return Arrays(inputs, known[:, 0] if len(labels) == 1 else known, folds)
