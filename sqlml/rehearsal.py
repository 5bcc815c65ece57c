"""A recipe is run twice: rehearsed one horizon earlier and tested on the untouched window, then run for real."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import cast

import duckdb
import numpy as np
import pyarrow as pa

from sqlml import conformal, encoding, evaluation, explanation, features, queries, segments
from sqlml.conformal import Conformal
from sqlml.cutoffs import Calendar, days
from sqlml.encoding import Arrays, Dropped
from sqlml.errors import DataError
from sqlml.evaluation import Fitted, HeldOut, Vector
from sqlml.explanation import Importance
from sqlml.features import Source
from sqlml.methods.base import State
from sqlml.options import BehaviorOptions
from sqlml.search import Trial
from sqlml.segments import Segmented
from sqlml.targets import Label
from sqlml.tasks import METHODS, SEGMENT, Task
from sqlml.training import Stage
from sqlml.transforms import Calibration, Encoder, Target

TRAINING, TEST = "sqlml_training", "sqlml_test"
LEAST_CUSTOMERS = 50
LEAST_OF_EACH = 10
LEAK_AUC = 0.97
RECENCY = "recency_days"
TEST_FOLDS = 5
YEAR = 365.25
LEAST_SPEND = 1e-6


@dataclass(frozen=True)
class Periods:
    """How a horizon is cut: days from as_of to the ends of all periods but the last, and the yearly discount."""

    ends: tuple[float, ...] = ()
    discount: float = 0.0

    def target(self, horizon: timedelta, mean: float) -> Target:
        """A spend over the periods of a horizon: what is spent in one counts as spent at its end."""
        days = horizon / timedelta(days=1)
        ends = (*(end for end in self.ends if end < days), days)
        return Target("spend", scale=mean, ends=ends, discounts=tuple((1 + self.discount) ** (-e / YEAR) for e in ends))


@dataclass(frozen=True)
class Recipe:
    """Everything that stays the same between the rehearsal and the real run."""

    task: Task
    source: Source
    options: BehaviorOptions
    periods: Periods = field(default_factory=Periods)


@dataclass(frozen=True)
class CutoffRow:
    """One cut-off as it is reported: what it served for, rows, mean label (of a truth: the share)."""

    purpose: str
    as_of: datetime
    n_rows: int
    base_rate: float


@dataclass(frozen=True)
class Tested:
    """What a test of the recipe found, beside the metrics in `sqlml_metrics`.

    `answers` and `labels` (n,) are those of the chosen method on the test rows; numbers have a `conformal`.
    """

    target: Target
    cutoffs: Sequence[CutoffRow]
    answers: Vector
    labels: Vector
    importance: Sequence[Importance]
    conformal: Conformal | None
    options: BehaviorOptions
    trials: Sequence[Trial] = ()


@dataclass(frozen=True)
class Run:
    """The run that is kept, with the rows that explanations start from, or those segments are drawn of."""

    state: State
    encoder: Encoder
    calibration: Calibration
    dropped: Sequence[Dropped]
    cutoffs: Sequence[CutoffRow]
    background: Vector
    segmented: Segmented | None = None
    moves: Sequence[tuple[object, ...]] = ()


def in_time(
    cursor: duckdb.DuckDBPyConnection,
    recipe: Recipe,
    known: Calendar,
    test_as_of: datetime,
    now: datetime,
    stage: Stage,
) -> Tested:
    """Run the recipe with knowledge up to `known.as_of`, test it on the horizon after; leaves `sqlml_metrics`."""
    _training_examples(cursor, recipe, known)
    features.build_examples(cursor, recipe.source, TEST, (test_as_of,), known.horizon, now)
    return _compare(cursor, recipe, known, stage)


def by_customers(cursor: duckdb.DuckDBPyConnection, recipe: Recipe, calendar: Calendar, stage: Stage) -> Tested:
    """Hold out a fifth of the customers at the newest cut-off instead; leaves `sqlml_metrics`."""
    observed = replace(calendar, horizon=calendar.window)
    _training_examples(cursor, recipe, observed)
    pieces = {"training": TRAINING, "test": TEST}
    for statement in ("test", "training"):
        query = queries.text(f"examples/{statement}_customers", **pieces)
        cursor.execute(query, {"newest": calendar.tested, "parts": TEST_FOLDS} if statement == "test" else
                       {"parts": TEST_FOLDS}).fetchall()  # fmt: skip
    return _compare(cursor, recipe, observed, stage)


def final(
    cursor: duckdb.DuckDBPyConnection, recipe: Recipe, calendar: Calendar, stage: Stage, numbers_so_far: str | None
) -> Run:
    """The recipe with everything that may be known: the model that is kept.

    `numbers_so_far` is a query that gives the segment (key, number) of each customer by the version before.
    """
    _training_examples(cursor, recipe, calendar)
    encoder, dropped = _fit_encoder(cursor, recipe, calendar)
    data = features.read_arrays(cursor, TRAINING, encoder)
    cutoffs = list(cutoff_rows(cursor, TRAINING, "train"))
    if recipe.task is SEGMENT:
        found, moves = _final_segments(cursor, recipe, calendar, data, encoder, numbers_so_far, stage)
        return Run(found.state, found.encoder, Calibration(), dropped, cutoffs, found.background, found, moves)
    fitted = _fit(cursor, recipe, recipe.options.method, data, encoder, calendar, stage)
    links = fitted.links(METHODS[recipe.options.method], recipe.options, data.inputs)
    background = explanation.background(data, links)
    return Run(fitted.state, encoder, fitted.calibration, dropped, cutoffs, background)


def _final_segments(
    cursor: duckdb.DuckDBPyConnection,
    recipe: Recipe,
    calendar: Calendar,
    data: Arrays,
    encoder: Encoder,
    numbers_so_far: str | None,
    stage: Stage,
) -> tuple[Segmented, list[tuple[object, ...]]]:
    """The segments of all customers, and who came from which."""
    old = None
    if numbers_so_far is not None:
        query = queries.text("segments/numbers_so_far", table=TRAINING, so_far=numbers_so_far)
        old = segments.numbers_so_far(cursor, query)
    found = segments.keep(cursor, recipe.options, encoder, data, old, stage)
    moves = segments.transitions(cursor, TRAINING, found, recipe.options, data, calendar.tested, calendar.as_of)
    return found, moves


def _fit_encoder(
    cursor: duckdb.DuckDBPyConnection, recipe: Recipe, calendar: Calendar
) -> tuple[Encoder, list[Dropped]]:
    label = recipe.source.label
    target = Target(of_nothing=label.of_nothing)
    if recipe.task is SEGMENT:
        target = Target("segment")
    elif label.is_spend:
        target = recipe.periods.target(calendar.horizon, _mean_spend(cursor))
    elif not label.is_binary:
        target = encoding.number_target(cursor, TRAINING, "label")
    return features.fit_encoder(cursor, TRAINING, calendar.lookback, recipe.options.bins, target)


def _mean_spend(cursor: duckdb.DuckDBPyConnection) -> float:
    spent, share = f"sum(greatest(label, 0)::{queries.MONEY})", "sum(exposure::DECIMAL(18, 12))"  # exact in any order
    query = f"SELECT {spent} / {share} FROM {TRAINING}"
    return max(float(cursor.execute(query).fetchall()[0][0]), LEAST_SPEND)


def cutoff_rows(cursor: duckdb.DuckDBPyConnection, table: str, purpose: str) -> Iterator[CutoffRow]:
    """Rows and base rate of each cut-off in a table of examples."""
    query = f"""SELECT as_of, count(*), avg(label::DOUBLE) FROM {table} WHERE exposure > 0
                GROUP BY as_of ORDER BY as_of DESC"""
    yield from (CutoffRow(purpose, *row) for row in cursor.execute(query).fetchall())


def _training_examples(cursor: duckdb.DuckDBPyConnection, recipe: Recipe, calendar: Calendar) -> None:
    window = calendar.horizon if recipe.source.label.is_spend else calendar.window
    features.build_examples(cursor, recipe.source, TRAINING, calendar.cutoffs, window, calendar.as_of)
    until = f"at the cut-off{'s' if len(calendar.cutoffs) > 1 else ''} {', '.join(f'{c:%Y-%m-%d}' for c in calendar.cutoffs)}"  # noqa: E501
    customers = cursor.execute(f"SELECT count(DISTINCT customer_id) FROM {TRAINING}").fetchall()[0][0]
    if customers < LEAST_CUSTOMERS:
        raise DataError(f"Customers that can be learnt from {until}: {customers:,}; {LEAST_CUSTOMERS} are the least.")
    if recipe.task is not SEGMENT:
        _require_differences(cursor, recipe.source.label, until, calendar)
    if not recipe.source.frame.behavior.has("customers.valid_from"):
        _refuse_leaks(cursor, recipe.source.frame.attributes)


def _require_differences(cursor: duckdb.DuckDBPyConnection, label: Label, until: str, calendar: Calendar) -> None:
    if not label.is_binary:
        if cursor.execute(f"SELECT count(DISTINCT label) FROM {TRAINING}").fetchall()[0][0] < LEAST_OF_EACH:
            raise DataError(f"The target has fewer than {LEAST_OF_EACH} different values {until}.")
        return
    counts = cursor.execute(f"SELECT count_if(label), count_if(NOT label) FROM {TRAINING}").fetchall()[0]
    positive, negative = counts
    if min(positive, negative) < LEAST_OF_EACH:
        is_longer = (positive > negative) == label.of_nothing
        raise DataError(
            f"Of {positive + negative:,} examples {until} the label is TRUE in {positive:,} and FALSE in {negative:,}: "
            f"nothing to tell apart. Choose a {'longer' if is_longer else 'shorter'} horizon than "
            f"{days(calendar.horizon)}, or another target."
        )


def _refuse_leaks(cursor: duckdb.DuckDBPyConnection, attributes: Sequence[str]) -> None:
    """Stop where one customer attribute alone nearly decides the label of the newest cut-off.

    It was most likely written after the fact, and the newest cut-off is the nearest to when.

    Raises:
        DataError: It names the attribute.
    """
    types = {name: str(kind) for name, kind, *_ in cursor.execute(f"DESCRIBE {TRAINING}").fetchall()}
    for attribute in attributes:
        column = f"customer.{attribute}"
        newest = queries.text("examples/newest", table=TRAINING)
        is_number = not encoding.is_category(types[column])
        auc = evaluation.auc_alone(cursor, newest, queries.identifier(column), is_number=is_number)
        if auc is not None and auc >= LEAK_AUC:
            raise DataError(
                f"The customer attribute '{attribute}' alone tells the label (AUC {auc:.3f}): it was most likely "
                "written after the fact. Leave it out of attributes, or give behavior.customers a valid_from."
            )


def _compare(cursor: duckdb.DuckDBPyConnection, recipe: Recipe, calendar: Calendar, stage: Stage) -> Tested:
    """Fit the chosen method and those beside it on the training table, score the test table, store the metrics."""
    chosen, options = recipe.options.method, recipe.options
    encoder, _ = _fit_encoder(cursor, recipe, calendar)
    data, test = (features.read_arrays(cursor, table, encoder) for table in (TRAINING, TEST))
    if recipe.task is SEGMENT:
        return _compare_segments(cursor, recipe, encoder, data, test, stage)
    mine = _fit(cursor, recipe, chosen, data, encoder, calendar, stage)
    scores = {chosen: mine.scores(METHODS[chosen], options, test.inputs)}
    for name in recipe.task.beside:
        if name not in scores:
            scores[name] = _scores(cursor, recipe, name, data, test, encoder, calendar, stage)
    held_out = HeldOut(_keys(cursor), list(scores.items()))
    evaluation.compare(cursor, held_out, options.seed, encoder.target, options.threshold)
    return Tested(
        encoder.target,
        [*cutoff_rows(cursor, TRAINING, "rehearse"), *cutoff_rows(cursor, TEST, "test")],
        scores[chosen],
        test.truth,
        explanation.importance(METHODS[chosen], mine, options, test),
        _conformal(cursor, recipe, scores[chosen], test.truth, encoder.target),
        options,
    )


def _compare_segments(
    cursor: duckdb.DuckDBPyConnection, recipe: Recipe, encoder: Encoder, data: Arrays, test: Arrays, stage: Stage
) -> Tested:
    keys = _keys(cursor, "{'spend': label, 'orders': orders}")
    found = segments.compare(cursor, recipe.task, recipe.options, encoder, data, (keys, test), stage)
    cutoffs = [*cutoff_rows(cursor, TRAINING, "rehearse"), *cutoff_rows(cursor, TEST, "test")]
    chosen = cast("BehaviorOptions", found.options)
    return Tested(encoder.target, cutoffs, found.answers, found.labels, [], None, chosen, found.trials)


def _conformal(
    cursor: duckdb.DuckDBPyConnection, recipe: Recipe, answers: Vector, labels: Vector, target: Target
) -> Conformal | None:
    if recipe.source.label.is_binary:
        return None
    conformal.add_coverage(cursor, answers, labels, target, recipe.options.method, recipe.options.seed)
    return conformal.conformal(answers, labels, target)


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
        return np.full(len(test.labels), data.mean, np.float32)
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
    if not calendar.is_short or recipe.source.label.is_spend:
        return fitted
    label, answers = recipe.source.label, fitted.validated.answers(encoder.target)
    half = features.mean_label(cursor, recipe.source, calendar.cutoffs, calendar.window / 2, calendar.as_of)
    ratio = calendar.horizon / calendar.window
    if not label.is_binary:
        power = evaluation.growth(float(data.labels.mean()), half, ratio)
    elif label.of_nothing:
        power = evaluation.weibull_power(answers, half, ratio)
    else:
        power = evaluation.weibull_power(1 - answers, 1 - half, ratio)
    return replace(fitted, calibration=replace(fitted.calibration, power=power))


def _keys(cursor: duckdb.DuckDBPyConnection, label: str = "label") -> pa.Table:
    columns = f"customer_id, as_of, {label} AS label, is_active, customer_id::VARCHAR AS key"
    query = f"SELECT {columns} FROM {TEST} ORDER BY as_of, customer_id"
    return cursor.sql(query).to_arrow_table()
