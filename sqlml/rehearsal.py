"""A recipe is run twice: rehearsed one horizon earlier and tested on the untouched window, then run for real."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import duckdb
import numpy as np
import pyarrow as pa

from sqlml import encoding, evaluation, features, queries
from sqlml.cutoffs import Calendar, days
from sqlml.encoding import Arrays, Dropped
from sqlml.errors import DataError
from sqlml.evaluation import Fitted, HeldOut, Vector
from sqlml.features import Source
from sqlml.options import BehaviorOptions
from sqlml.tasks import METHODS, Task
from sqlml.training import Stage
from sqlml.transforms import Encoder

TRAINING, TEST = "sqlml_training", "sqlml_test"
LEAST_CUSTOMERS = 50
LEAST_OF_EACH = 10
LEAK_AUC = 0.97
RECENCY = "recency_days"
TEST_FOLDS = 5


@dataclass(frozen=True)
class Recipe:
    """Everything that stays the same between the rehearsal and the real run."""

    task: Task
    source: Source
    options: BehaviorOptions


@dataclass(frozen=True)
class CutoffRow:
    """One cut-off as it is reported: what it served for, rows, share of TRUE labels."""

    purpose: str
    as_of: datetime
    n_rows: int
    base_rate: float


@dataclass(frozen=True)
class Run:
    """One run of the recipe."""

    fitted: Fitted
    dropped: Sequence[Dropped]
    cutoffs: Sequence[CutoffRow]


def in_time(
    cursor: duckdb.DuckDBPyConnection,
    recipe: Recipe,
    known: Calendar,
    test_as_of: datetime,
    now: datetime,
    stage: Stage,
) -> list[CutoffRow]:
    """Run the recipe with knowledge up to `known.as_of`, test it on the horizon after; leaves `sqlml_metrics`."""
    _training_examples(cursor, recipe, known)
    features.build_examples(cursor, recipe.source, TEST, (test_as_of,), known.horizon, now)
    return [*_compare(cursor, recipe, known, stage), *cutoff_rows(cursor, TEST, "test")]


def by_customers(
    cursor: duckdb.DuckDBPyConnection, recipe: Recipe, calendar: Calendar, stage: Stage
) -> list[CutoffRow]:
    """Hold out a fifth of the customers at the newest cut-off instead; leaves `sqlml_metrics`."""
    _training_examples(cursor, recipe, calendar)
    pieces = {"training": TRAINING, "test": TEST}
    for statement in ("test", "training"):
        query = queries.text(f"examples/{statement}_customers", **pieces)
        cursor.execute(query, {"newest": calendar.cutoffs[0], "parts": TEST_FOLDS} if statement == "test" else
                       {"parts": TEST_FOLDS}).fetchall()  # fmt: skip
    return [*_compare(cursor, recipe, replace(calendar, horizon=calendar.window), stage),
            *cutoff_rows(cursor, TEST, "test")]  # fmt: skip


def final(cursor: duckdb.DuckDBPyConnection, recipe: Recipe, calendar: Calendar, stage: Stage) -> Run:
    """The recipe with everything that may be known: the model that is kept."""
    _training_examples(cursor, recipe, calendar)
    encoder, dropped = features.fit_encoder(cursor, TRAINING, calendar.lookback, recipe.options.bins)
    data = features.read_arrays(cursor, TRAINING, encoder)
    fitted = _fit(cursor, recipe, recipe.options.method, data, encoder, calendar, stage)
    return Run(fitted, dropped, list(cutoff_rows(cursor, TRAINING, "train")))


def cutoff_rows(cursor: duckdb.DuckDBPyConnection, table: str, purpose: str) -> Iterator[CutoffRow]:
    """Rows and base rate of each cut-off in a table of examples."""
    query = f"SELECT as_of, count(*), avg(label::INT) FROM {table} GROUP BY as_of ORDER BY as_of DESC"
    yield from (CutoffRow(purpose, *row) for row in cursor.execute(query).fetchall())


def _training_examples(cursor: duckdb.DuckDBPyConnection, recipe: Recipe, calendar: Calendar) -> None:
    features.build_examples(cursor, recipe.source, TRAINING, calendar.cutoffs, calendar.window, calendar.as_of)
    query = f"SELECT count(DISTINCT customer_id), count_if(label), count_if(NOT label) FROM {TRAINING}"
    customers, positive, negative = cursor.execute(query).fetchall()[0]
    until = f"at the cut-off{'s' if len(calendar.cutoffs) > 1 else ''} {', '.join(f'{c:%Y-%m-%d}' for c in calendar.cutoffs)}"  # noqa: E501
    if customers < LEAST_CUSTOMERS:
        raise DataError(f"Customers that can be learnt from {until}: {customers:,}; {LEAST_CUSTOMERS} are the least.")
    if min(positive, negative) < LEAST_OF_EACH:
        raise DataError(
            f"Of {positive + negative:,} examples {until} the label is TRUE in {positive:,} and FALSE in {negative:,}: "
            f"nothing to tell apart. Choose a {'longer' if positive > negative else 'shorter'} horizon than "
            f"{days(calendar.horizon)}, or another active_event."
        )
    if not recipe.source.behavior.has("customers.valid_from"):
        _refuse_leaks(cursor, recipe.source.attributes)


def _refuse_leaks(cursor: duckdb.DuckDBPyConnection, attributes: Sequence[str]) -> None:
    """Stop where one customer attribute alone nearly decides the label of the newest cut-off.

    It was most likely written after the fact, and the newest cut-off is the nearest to when.

    Raises:
        DataError: It names the attribute.
    """
    types = {name: str(kind) for name, kind, *_ in cursor.execute(f"DESCRIBE {TRAINING}").fetchall()}
    for attribute in attributes:
        column = f"customer.{attribute}"
        newest = f"(FROM {TRAINING} WHERE as_of = (SELECT max(as_of) FROM {TRAINING}))"
        is_number = not encoding.is_category(types[column])
        auc = evaluation.auc_alone(cursor, newest, queries.identifier(column), is_number=is_number)
        if auc is not None and auc >= LEAK_AUC:
            raise DataError(
                f"The customer attribute '{attribute}' alone tells the label (AUC {auc:.3f}): it was most likely "
                "written after the fact. Leave it out of attributes, or give behavior.customers a valid_from."
            )


def _compare(cursor: duckdb.DuckDBPyConnection, recipe: Recipe, calendar: Calendar, stage: Stage) -> list[CutoffRow]:
    """Fit the chosen method and those beside it on the training table, score the test table, store the metrics."""
    encoder, _ = features.fit_encoder(cursor, TRAINING, calendar.lookback, recipe.options.bins)
    data, test = (features.read_arrays(cursor, table, encoder) for table in (TRAINING, TEST))
    names = dict.fromkeys((recipe.options.method, *recipe.task.beside))
    scores = [(name, _scores(cursor, recipe, name, data, test, encoder, calendar, stage)) for name in names]
    evaluation.compare(cursor, HeldOut(_keys(cursor), scores), recipe.options.seed, encoder.target)
    return list(cutoff_rows(cursor, TRAINING, "rehearse"))


def _scores(
    cursor: duckdb.DuckDBPyConnection,
    recipe: Recipe,
    name: str,
    data: Arrays,
    test: Arrays,
    encoder: Encoder,
    calendar: Calendar,
    stage: Stage,
) -> Vector:
    if name == "base rate" or (name == "recency" and RECENCY not in encoder.names):
        return np.full(len(test.labels), data.labels.mean(), np.float32)
    method = name
    if name == "recency":
        method, column = "logistic", [encoder.names.index(RECENCY)]
        data, test = replace(data, inputs=data.inputs[:, column]), replace(test, inputs=test.inputs[:, column])
        encoder = encoder.only((RECENCY,))
    fitted = _fit(cursor, recipe, method, data, encoder, calendar, stage)
    return fitted.scores(METHODS[method], recipe.options, test.inputs)


def _fit(
    cursor: duckdb.DuckDBPyConnection,
    recipe: Recipe,
    method: str,
    data: Arrays,
    encoder: Encoder,
    calendar: Calendar,
    stage: Stage,
) -> Fitted:
    fitted = evaluation.cross_fit(METHODS[method], data, encoder, recipe.options, stage)
    if not calendar.is_short:
        return fitted
    half = features.label_rate(cursor, recipe.source, calendar.cutoffs, calendar.window / 2, calendar.as_of)
    power = evaluation.weibull_power(fitted.validated.answers(encoder.target), half, calendar.horizon / calendar.window)
    return replace(fitted, calibration=replace(fitted.calibration, power=power))


def _keys(cursor: duckdb.DuckDBPyConnection) -> pa.Table:
    query = f"SELECT customer_id, as_of, label, is_active FROM {TEST} ORDER BY as_of, customer_id"
    return cursor.sql(query).to_arrow_table()
