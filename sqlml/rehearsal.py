"""A recipe is run twice: rehearsed one horizon earlier and tested on the untouched window, then run for real."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import cast

import duckdb
import numpy as np
import pyarrow as pa

from sqlml import (
    comparison,
    conformal,
    encoding,
    evaluation,
    explanation,
    features,
    leaks,
    queries,
    search,
    segments,
)
from sqlml.conformal import Conformal
from sqlml.cutoffs import Calendar, days
from sqlml.encoding import Arrays, Dropped
from sqlml.errors import DataError
from sqlml.evaluation import Fitted, HeldOut, Vector
from sqlml.explanation import Importance
from sqlml.features import Source
from sqlml.leaks import Finding
from sqlml.methods.base import State
from sqlml.options import BehaviorOptions
from sqlml.search import Trial
from sqlml.segments import Segmented
from sqlml.targets import Label
from sqlml.tasks import METHODS, SEGMENT, Task
from sqlml.training import Stage
from sqlml.transforms import Calibration, Encoder, Target

TRAINING, TEST = "sqlml_training", "sqlml_test"
LEAST_EXAMPLES, LEAST_CUSTOMERS = 50, 6
LEAST_OF_EACH = 10
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
    comparison: str = ""
    warnings: Sequence[str] = ()


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
    leaks: Sequence[Finding] = ()


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
    _require_test(cursor, recipe.source.label, test_as_of, known.horizon)
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
    _require_test(cursor, recipe.source.label, calendar.tested, calendar.window)
    return _compare(cursor, recipe, observed, stage)


def final(
    cursor: duckdb.DuckDBPyConnection, recipe: Recipe, calendar: Calendar, stage: Stage, numbers_so_far: str | None
) -> Run:
    """The recipe with everything that may be known: the model that is kept.

    `numbers_so_far` is a query that gives the segment (key, number) of each customer by the version before.
    """
    looked_at = _training_examples(cursor, recipe, calendar)
    encoder, dropped = _fit_encoder(cursor, recipe, calendar)
    data = features.read_arrays(cursor, TRAINING, encoder)
    cutoffs = list(cutoff_rows(cursor, TRAINING, "train"))
    if recipe.task is SEGMENT:
        found, moves = _final_segments(cursor, recipe, calendar, data, encoder, numbers_so_far, stage)
        kept = found.state, found.encoder, Calibration(), dropped, cutoffs, found.background
        return Run(*kept, found, moves, looked_at)
    fitted = _fit(cursor, recipe, recipe.options.method, data, encoder, calendar, stage)
    links = fitted.links(METHODS[recipe.options.method], recipe.options, data.inputs)
    background = explanation.background(data, links)
    return Run(fitted.state, encoder, fitted.calibration, dropped, cutoffs, background, leaks=looked_at)


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


def _training_examples(cursor: duckdb.DuckDBPyConnection, recipe: Recipe, calendar: Calendar) -> list[Finding]:
    """Fill the table of examples, and say how well each customer attribute tells the label.

    Raises:
        DataError: There are too few, all have one label, or an attribute nearly decides it.
    """
    window = calendar.horizon if recipe.source.label.is_spend else calendar.window
    features.build_examples(cursor, recipe.source, TRAINING, calendar.cutoffs, window, calendar.as_of)
    until = f"at the cut-off{'s' if len(calendar.cutoffs) > 1 else ''} {', '.join(f'{c:%Y-%m-%d}' for c in calendar.cutoffs)}"  # noqa: E501
    examples, customers = cursor.execute(f"SELECT count(*), count(DISTINCT customer_id) FROM {TRAINING}").fetchall()[0]
    if examples < LEAST_EXAMPLES or customers < LEAST_CUSTOMERS:
        raise DataError(
            f"Examples {until}: {examples:,}, of {customers:,} customers; {LEAST_EXAMPLES} examples of "
            f"{LEAST_CUSTOMERS} customers are the least. More cut-offs give more examples of the same customers: a "
            "shorter every, with a larger max_cutoffs."
        )
    if recipe.task is not SEGMENT:
        _require_differences(cursor, recipe.source.label, until, calendar)
    if recipe.source.frame.behavior.has("customers.valid_from"):
        return []
    return _refuse_leaks(cursor, recipe.source.frame.attributes, recipe.source.label)


def _require_test(cursor: duckdb.DuckDBPyConnection, label: Label, as_of: datetime, window: timedelta) -> None:
    """Stop where nobody has a label in the window that the recipe is tested on.

    Raises:
        DataError: It says which window, and what to do.
    """
    (rows,) = cursor.execute(f"SELECT count(*) FROM {TEST}").fetchall()[0]
    if not rows:
        raise DataError(
            f"Nobody has a label in the window of the test, from {as_of:%Y-%m-%d %H:%M} to "
            f"{as_of + window:%Y-%m-%d %H:%M}: the target is NULL for everyone, as an average of no events is. Choose "
            "an as_of before the silence, a longer horizon, or a target that is known of it, e.g. coalesce(..., 0)."
        )


def _require_differences(cursor: duckdb.DuckDBPyConnection, label: Label, until: str, calendar: Calendar) -> None:
    if not label.is_binary:
        value, rows, others = cursor.execute(queries.text("examples/usual", table=TRAINING)).fetchall()[0]
        if others < LEAST_OF_EACH:
            raise DataError(
                f"The target is {value:g} in all but {others:,} of {rows:,} examples {until}: nothing to tell apart. "
                f"Choose a longer horizon than {days(calendar.horizon)}, or another target."
            )
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


def _refuse_leaks(cursor: duckdb.DuckDBPyConnection, attributes: Sequence[str], label: Label) -> list[Finding]:
    """Stop where one customer attribute alone nearly decides the label, of all examples or of the newest cut-off.

    It was most likely written after the fact, and the newest cut-off is the nearest to when.

    Raises:
        DataError: It names the attribute.
    """
    types = {name: str(kind) for name, kind, *_ in cursor.execute(f"DESCRIBE {TRAINING}").fetchall()}
    columns = [
        leaks.Column(name, queries.identifier(column), not encoding.is_category(types[column]))
        for name in attributes
        if (column := f"customer.{name}") in types
    ]
    observed = f"(SELECT *, fold % 2 AS half FROM {TRAINING} WHERE exposure > 0)"
    newest = f"(FROM {observed} WHERE as_of = (SELECT max(as_of) FROM {observed}))"
    kind = "binary" if label.is_binary else "value"
    found = leaks.audit(cursor, observed, columns, kind)
    for one in (*found, *leaks.audit(cursor, newest, columns, kind)):
        if one.is_suspect:
            raise DataError(
                f"The customer attribute {one.text}: it was most likely written after the fact. "
                "Leave it out of attributes, or give behavior.customers a valid_from."
            )
    return found


def _compare(cursor: duckdb.DuckDBPyConnection, recipe: Recipe, calendar: Calendar, stage: Stage) -> Tested:
    """Fit the chosen method and those beside it on the training table, score the test table, store the metrics."""
    encoder, _ = _fit_encoder(cursor, recipe, calendar)
    data, test = (features.read_arrays(cursor, table, encoder) for table in (TRAINING, TEST))
    if recipe.task is SEGMENT:
        return _compare_segments(cursor, recipe, encoder, data, test, stage)
    fitted = {name: _fit(cursor, recipe, name, data, encoder, calendar, stage) for name in _candidates(recipe)}
    options = replace(recipe.options, method=_chosen(fitted, encoder.target, recipe.task))
    chosen, mine = options.method, fitted[options.method]
    scores = {name: one.scores(METHODS[name], options, test.inputs) for name, one in fitted.items()}
    for name in recipe.task.beside:
        if name not in scores:
            scores[name] = _scores(cursor, recipe, name, data, test, encoder, calendar, stage)
    held_out = HeldOut(_keys(cursor), list(scores.items()))
    evaluation.compare(cursor, held_out, options.seed, encoder.target, options.threshold)
    compared = comparison.of(chosen, scores, test.truth, encoder.target)
    return Tested(
        encoder.target,
        [*cutoff_rows(cursor, TRAINING, "rehearse"), *cutoff_rows(cursor, TEST, "test")],
        scores[chosen],
        test.truth,
        explanation.importance(METHODS[chosen], mine, options, test),
        _conformal(cursor, replace(recipe, options=options), scores[chosen], test.truth, encoder.target),
        options,
        comparison=compared.sentence,
        warnings=compared.warnings,
    )


def _candidates(recipe: Recipe) -> tuple[str, ...]:
    """The methods that the option leads to; of auto the best one, and a simpler one where there is one."""
    if recipe.options.method != "auto":
        return (recipe.options.method,)
    return tuple(filter(None, (recipe.task.methods[0], recipe.task.simple)))


def _chosen(fitted: Mapping[str, Fitted], target: Target, task: Task) -> str:
    """The method that loses least on rows it had not seen, or the simple one where that is level."""
    found = {name: one.validated.losses(target) for name, one in fitted.items()}
    best = min(found, key=lambda name: float(found[name].mean()))
    is_close = task.simple in found and search.is_close(found[task.simple], found[best])
    return str(task.simple) if is_close else best


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
    if name == comparison.BASE_RATE or (name == "recency" and RECENCY not in encoder.names):
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
