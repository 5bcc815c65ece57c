"""Feature SQL → examples of a behaviour model in a temporary table → its inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import duckdb

from sqlml import encoding, queries
from sqlml.encoding import Arrays, Dropped, Input
from sqlml.queries import Frame, identifier
from sqlml.targets import Label
from sqlml.transforms import ORDERS, Encoder, Target

MOST_LEVELS = 30
BOOKKEEPING = ("customer_id", "as_of", "label", "orders", "fold", "is_active", "exposure")
SPEND = ("label", "orders", "exposure")
"""The parts of a label that is a spend."""


@dataclass(frozen=True)
class Source:
    """Where examples come from: the behaviour tables, the label, which customers count, and the share that is drawn."""

    frame: Frame
    label: Label
    active_within: timedelta | None
    horizon: timedelta
    folds: int
    share: float = 1.0


def build_examples(
    cursor: duckdb.DuckDBPyConnection,
    source: Source,
    table: str,
    cutoffs: Sequence[datetime],
    window: timedelta,
    known_by: datetime,
) -> None:
    """Fill the temporary `table` with (customer_id, as_of, label, fold, is_active, exposure, feature columns …).

    `known_by` is the last moment whose events may enter a label; `exposure` the share of the window before it.
    """
    _label(cursor, source, cutoffs, window, known_by)
    features = queries.features_of(source.frame, "SELECT customer_id, as_of FROM temp.sqlml_spine", "SELECT *")
    cursor.execute(
        queries.text("examples/join", table=table, features=features),
        {"folds": source.folds, **_observed(window, known_by)},
    ).fetchall()


def mean_label(
    cursor: duckdb.DuckDBPyConnection,
    source: Source,
    cutoffs: Sequence[datetime],
    window: timedelta,
    known_by: datetime,
) -> float:
    """The mean label, of a truth the share, over a window after the cut-offs."""
    _label(cursor, source, cutoffs, window, known_by)
    return float(cursor.execute("SELECT avg(label::DOUBLE) FROM temp.sqlml_labels").fetchall()[0][0])


def _label(
    cursor: duckdb.DuckDBPyConnection,
    source: Source,
    cutoffs: Sequence[datetime],
    window: timedelta,
    known_by: datetime,
) -> None:
    """Fill the temporary tables `sqlml_spine` and `sqlml_labels`."""
    within, behavior = source.active_within, source.frame.behavior
    cursor.execute(
        queries.text("examples/spine", history=queries.history_of(behavior), population=source.frame.population),
        {
            "cutoffs": list(cutoffs),
            "within_seconds": within and within.total_seconds(),
            "horizon_seconds": source.horizon.total_seconds(),
            "share": source.share,
        },
    ).fetchall()
    labels = queries.labels_of(behavior, source.label.sql, "temp.sqlml_spine")
    cursor.execute(
        f"CREATE OR REPLACE TEMP TABLE sqlml_labels AS {labels}",
        {**source.label.parameters, **_observed(window, known_by)},
    ).fetchall()


def _observed(window: timedelta, known_by: datetime) -> dict[str, object]:
    return {"window_seconds": window.total_seconds(), "known_by": known_by}


def fit_encoder(
    cursor: duckdb.DuckDBPyConnection, table: str, lookback: timedelta, bins: int, target: Target
) -> tuple[Encoder, list[Dropped]]:
    """Fit bin edges and vocabularies on the examples in `table`; list what was dropped and why.

    Raises:
        DataError: No column is left to learn from.
    """
    types = {name: str(kind) for name, kind, *_ in cursor.execute(f"DESCRIBE {table}").fetchall()}
    too_long = [
        Dropped(name, f"looks back {queries.window_days(name)} days, the shortest history has {lookback.days}")
        for name in types
        if queries.window_days(name) > lookback.days
    ]
    unusable = {d.column for d in too_long} | set(BOOKKEEPING)
    usable = {name: kind for name, kind in types.items() if name not in unusable}
    inputs = list(_inputs(cursor, table, usable))
    encoder, dropped = encoding.fit(cursor, table, inputs, bins, MOST_LEVELS, target)
    return encoder, too_long + dropped


def _inputs(cursor: duckdb.DuckDBPyConnection, table: str, types: Mapping[str, str]) -> Iterator[Input]:
    for name, kind in types.items():
        column = identifier(name)
        if kind.startswith("MAP("):
            limits = {"least": encoding.LEAST_ROWS, "most": MOST_LEVELS}
            found = cursor.execute(queries.text("encoder/keys", table=table, column=column), limits).fetchall()
            for (key,) in found:
                yield Input(f"{name}[{key}]", f"{name}[{key}]", f"{column}[{queries.literal(key)}]::FLOAT")
        elif encoding.is_category(kind):
            yield Input(name, name, column, is_category=True)
        else:
            yield Input(name, "orders" if name in ORDERS else name, f"TRY_CAST({column} AS FLOAT)")


def read_arrays(cursor: duckdb.DuckDBPyConnection, table: str, encoder: Encoder) -> Arrays:
    """All examples of `table`, ordered by (as_of, customer_id), as arrays; of segments each customer is a fold."""
    labels = SPEND if encoder.target.kind in ("spend", "segment") else SPEND[:1]
    fold = "dense_rank() OVER (ORDER BY customer_id) - 1" if encoder.target.kind == "segment" else "fold"
    return encoding.read_arrays(cursor, table, encoder, labels, fold, "as_of, customer_id")
