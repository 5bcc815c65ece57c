"""A query model: rows with a label → rows held out → metrics and calibration → the model of all rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import cast

import duckdb
import numpy as np
import pyarrow as pa

from sqlml import columns, encoding, evaluation, explanation, queries, search, segments
from sqlml.encoding import Arrays, Dropped
from sqlml.errors import DataError, OptionError, did_you_mean
from sqlml.evaluation import Fitted, HeldOut, Validated, Vector
from sqlml.explanation import Importance
from sqlml.methods.base import State
from sqlml.options import QueryOptions
from sqlml.queries import ROW, identifier, literal
from sqlml.search import Attempt, Trial
from sqlml.segments import Segmented
from sqlml.tasks import METHODS, QUERY_TASKS, SEGMENT, Task
from sqlml.training import Stage, together
from sqlml.transforms import Calibration, Encoder, Target

ROWS, EXAMPLES, STREAM = "sqlml_rows", "sqlml_examples", "sqlml_stream"
TRAINING = f"(FROM {EXAMPLES} WHERE NOT __sqlml_test)"
LEAST_ROWS, LEAST_OF_EACH, MOST_CLASSES, TWO = 50, 10, 200, 2
LEAK_AUC = 0.99


@dataclass(frozen=True)
class Learned:
    """What is kept of a training; the metrics lie in the temporary tables that `evaluation.compare` writes.

    `answers` and `labels` are those of the rows held out.
    """

    options: QueryOptions
    trials: Sequence[Trial]
    encoder: Encoder
    state: State
    calibration: Calibration
    dropped: Sequence[Dropped]
    tested: str
    warnings: Sequence[str]
    importance: Sequence[Importance]
    conformal: evaluation.Conformal
    background: Vector
    answers: Vector
    labels: Vector
    n_rows: int
    log: Sequence[tuple[float, float]]


def require_learnable(recipes: Sequence[QueryOptions]) -> Task | None:
    """Check the options before any row is read. Returns the task where the label need not be seen to know it.

    Raises:
        OptionError: There is no such task, it has no such method, or the label is not named.
    """
    asked, known = recipes[0], tuple(dict.fromkeys(task.name for task in QUERY_TASKS.values()))
    if asked.task not in (None, *known):
        raise OptionError(f"A query model has no task '{asked.task}'." + did_you_mean(str(asked.task), known, "tasks"))
    if asked.task != SEGMENT.name and asked.k is not None:
        raise OptionError("Option k is one of task segment.")
    if asked.task != SEGMENT.name and asked.label is None:
        raise OptionError("Option label is missing: which column to predict, e.g. label = 'churned'.")
    fitting = [task for task in QUERY_TASKS.values()
               if task.name == asked.task or (asked.task is None and task.name != SEGMENT.name)]  # fmt: skip
    methods = {method for task in fitting for method in task.methods} | {"auto", QueryOptions.method}
    for recipe in recipes:
        if recipe.method not in methods:
            what = f"Task {asked.task}" if asked.task else "A query model"
            raise OptionError(
                f"{what} has no method '{recipe.method}'." + did_you_mean(recipe.method, methods, "methods")
            )
    return fitting[0] if len({task.functions for task in fitting}) == 1 else None


def require_label(names: Sequence[str], label: str | None) -> None:
    """Check that the query has the label among its columns, before any row is read.

    Raises:
        OptionError: It has not.
    """
    if label is not None and label not in names:
        raise OptionError(f"The query has no column '{label}' for the label." + did_you_mean(label, names, "columns"))


def load(cursor: duckdb.DuckDBPyConnection, rows: pa.RecordBatchReader, table: str = ROWS) -> dict[str, str]:
    """Keep the rows of a query, numbered, in a temporary table, which may spill to disk; column → DuckDB type.

    Raises:
        DataError: Two columns have one name, or the query fails in one of its rows.
    """
    lower = [name.lower() for name in rows.schema.names]
    if repeated := sorted({name for name in lower if lower.count(name) > 1}):
        raise DataError(f"The query has the column {repeated[0]} twice: name them apart with AS.")
    cursor.register(STREAM, rows)
    try:
        cursor.execute(queries.text("rows/load", table=table, stream=STREAM)).fetchall()
    except duckdb.InvalidInputException as error:
        raise DataError(f"The query fails while its rows are read: {str(error).rpartition('IOError: ')[2]}") from error
    finally:
        cursor.unregister(STREAM)
    described = cursor.execute(f"DESCRIBE {table}").fetchall()
    return {name: str(kind) for name, kind, *_ in described if name != "__sqlml_number"}


def draw(
    cursor: duckdb.DuckDBPyConnection, types: Mapping[str, str], options: QueryOptions
) -> tuple[dict[str, int], list[str]]:
    """Of more rows with a label than `max_examples` keep about so many, by chance: (rows before, a note after).

    Rows that a flag holds out are not learnt from, and stay.
    """
    known = "true" if options.label is None else f"{identifier(options.label)} IS NOT NULL"
    given = {"rows": _count(cursor), "rows_with_label": _count(cursor, known)}
    how, is_test = _split(types, options)
    if how == "custom":
        known += f" AND NOT coalesce({is_test}, false)"
    examples = _count(cursor, known)
    if examples <= options.max_examples:
        return given, []
    values = {"share": options.max_examples / examples, "seed": options.seed}
    cursor.execute(queries.text("rows/draw", rows=ROWS, row=ROW, known=known), values).fetchall()
    most = f"max_examples = {options.max_examples:,}"
    return given, [f"Learnt from {_count(cursor, known):,} rows, drawn by chance: {examples:,} are more than {most}."]


def _count(cursor: duckdb.DuckDBPyConnection, condition: str = "true") -> int:
    return int(cursor.execute(f"SELECT count(*) FROM {ROWS} WHERE {condition}").fetchall()[0][0])


def target_of(cursor: duckdb.DuckDBPyConnection, types: Mapping[str, str], options: QueryOptions) -> Target:
    """What the label is: by `task`, or by its type.

    Raises:
        OptionError: The label cannot be what the task says.
        DataError: Too few rows or classes have it.
    """
    name = str(options.label)
    label, kind = identifier(name), types[name]
    is_number = encoding.is_number(kind)
    query = queries.text("rows/label", rows=ROWS, label=label, is_number=str(is_number))
    known, distinct = cursor.execute(query).fetchall()[0]
    if known < LEAST_ROWS:
        raise DataError(f"Rows with a label that is not NULL: {known:,}; {LEAST_ROWS} are the least.")
    if distinct < TWO:
        raise DataError(f"Every label in '{options.label}' is the same: nothing to tell apart.")
    is_few = encoding.is_integer(kind) and distinct <= TWO
    if options.task == "classification" or (options.task is None and (not is_number or is_few)):
        return _classes(cursor, label, options)
    if not is_number:
        raise OptionError(f"task = 'regression' needs a number; the label '{options.label}' is {kind}.")
    return encoding.number_target(cursor, ROWS, label)


def _classes(cursor: duckdb.DuckDBPyConnection, label: str, options: QueryOptions) -> Target:
    query = f"SELECT {label}::VARCHAR, count(*) FROM {ROWS} WHERE {label} IS NOT NULL GROUP BY {label} ORDER BY {label}"
    counts = dict(cursor.execute(query).fetchall())
    levels = list(counts)
    if len(levels) > MOST_CLASSES:
        raise DataError(f"The label {label} has {len(levels):,} classes; {MOST_CLASSES} are the most.")
    for level, count in counts.items():
        if count < LEAST_OF_EACH:
            raise DataError(
                f"Class {level!r} of the label {label} has {count} rows; {LEAST_OF_EACH} are the least. "
                "Leave it out with WHERE, or merge it with another in the query."
            )
    if options.positive is not None:
        if len(levels) != TWO or options.positive not in levels:
            raise OptionError(f"Option positive = {options.positive!r} must be one of two classes." + did_you_mean(
                options.positive, levels, "classes"))  # fmt: skip
        levels.sort(key=lambda level: level == options.positive)
    return Target("classes" if len(levels) > TWO else "binary", tuple(levels))


def hold_out(cursor: duckdb.DuckDBPyConnection, types: Mapping[str, str], target: Target, options: QueryOptions) -> str:
    """Fill the temporary table of examples; returns how rows were held out.

    Raises:
        OptionError: split and split_column do not fit together.
    """
    how, is_test = _split(types, options)
    label = identifier(str(options.label))
    listed = ", ".join(map(literal, target.levels))
    is_classes = bool(target.levels)
    content = ", ".join(f"{ROW}.{identifier(name)}" for name in types if name != options.key)
    query = queries.text(
        "rows/examples",
        examples=EXAMPLES,
        rows=ROWS,
        row=ROW,
        label=f"list_position([{listed}], {ROW}.{label}::VARCHAR) - 1" if is_classes else f"{ROW}.{label}",
        stratum=f"{ROW}.{label}::VARCHAR" if is_classes else "0",
        content=content,
        is_test=is_test,
    )
    cursor.execute(query, {"seed": options.seed, "folds": options.folds}).fetchall()
    counted = f"""SELECT count_if(__sqlml_test), count_if(NOT __sqlml_test),
                         count(DISTINCT __sqlml_label) FILTER (NOT __sqlml_test) FROM {EXAMPLES}"""
    test, training, labels = cursor.execute(counted).fetchall()[0]
    if min(test, training) < LEAST_OF_EACH:
        raise DataError(f"The split '{how}' holds out {test:,} of {test + training:,} rows: too few different rows.")
    if labels < TWO:
        raise DataError(f"The split '{how}' leaves {training:,} rows to learn from, all with the same label.")
    return how


@dataclass(frozen=True)
class LearnedSegments:
    """What is kept of a segmentation of rows; its metrics lie in `sqlml_metrics`."""

    options: QueryOptions
    trials: Sequence[Trial]
    found: Segmented
    dropped: Sequence[Dropped]
    warnings: Sequence[str]


def learn_segments(
    cursor: duckdb.DuckDBPyConnection, types: Mapping[str, str], options: QueryOptions, so_far: str | None, stage: Stage
) -> LearnedSegments:
    """Segments of the rows that `load` kept; `so_far` is an expression for the segment of a row until now.

    Raises:
        OptionError: An option is of models with a label.
        DataError: There are too few rows.
    """
    if options.label is not None:
        raise OptionError("Segments are made without a label: leave out label, or the task.")
    rows = _count(cursor)
    if rows < LEAST_ROWS:
        raise DataError(f"Rows to segment: {rows:,}; {LEAST_ROWS} are the least.")
    chosen, left_out = columns.choose(types, options)
    inputs, unusable = columns.inputs(cursor, ROWS, {name: types[name] for name in chosen}, "1")
    target = Target("segment")
    encoder, dropped = encoding.fit(cursor, f"{ROWS} {ROW}", inputs, options.bins, columns.MOST_LEVELS, target)
    data = encoding.read_arrays(
        cursor, f"{ROWS} {ROW}", encoder, ["0"] * 3, "row_number() OVER (ORDER BY __sqlml_number) - 1", "__sqlml_number"
    )  # nothing of a future is known
    options = replace(options, method="auto" if options.method == QueryOptions.method else options.method)
    task = QUERY_TASKS["segment"]
    found, trials = segments.choose(cursor, task, options, encoder, data, stage)
    numbers = f"SELECT coalesce({so_far}, 0) AS number FROM {ROWS} {ROW} ORDER BY __sqlml_number"
    old = segments.numbers_so_far(cursor, numbers) if so_far else None
    kept = segments.keep(cursor, found, encoder, data, old, stage)
    left_out = [*left_out, *unusable, *dropped]
    return LearnedSegments(cast("QueryOptions", found), trials, kept, left_out, segments.note(trials))


def _split(types: Mapping[str, str], options: QueryOptions) -> tuple[str, str]:
    """How rows are held out, and the SQL condition."""
    column, fraction = options.split_column, options.test_fraction
    if column is not None and column not in types:
        raise OptionError(f"The query has no column '{column}' to split by." + did_you_mean(column, types, "columns"))
    kind = types[column] if column is not None else ""
    is_time = kind == "DATE" or kind.startswith("TIMESTAMP")
    how = options.split
    if how == "auto":
        how = "random" if column is None else "time" if is_time else "custom"
    if how == "random":
        return how, f"floor(__sqlml_place * {fraction}) > floor((__sqlml_place - 1) * {fraction})"
    if column is None:
        raise OptionError(f"split = '{how}' needs a split_column.")
    quoted = identifier(column)
    if how == "time":
        return how, f"{quoted} > ({queries.text('rows/newest', time=quoted, fraction=str(fraction))})"
    return how, f"{quoted}::BOOLEAN"


def learn(
    cursor: duckdb.DuckDBPyConnection,
    types: Mapping[str, str],
    target: Target,
    recipes: Sequence[QueryOptions],
    budget: float,
    stage: Stage,
) -> Learned:
    """Choose a recipe and fit on the rows that are not held out, measure on those that are, then fit on all of them.

    The bins, vocabularies and telling words stay those of the rows that were not held out.
    """
    tested = hold_out(cursor, types, target, recipes[0])
    chosen, left_out = columns.choose(types, recipes[0])
    inputs, unusable = columns.inputs(cursor, TRAINING, {name: types[name] for name in chosen}, "__sqlml_label")
    task, training = QUERY_TASKS[target.kind], f"{TRAINING} {ROW}"
    fit_encoder = partial(encoding.fit, cursor, training, inputs, most_levels=columns.MOST_LEVELS, target=target)
    data = _arrays(cursor, training, fit_encoder(recipes[0].bins)[0])  # the same for any number of bins
    options, found, trials = search.best(
        search.expand(recipes, task.methods),
        partial(_attempt, fit_encoder, data, stage),
        budget,
        prefers=task.methods[-1] if any(r.method == "auto" for r in recipes) else None,
    )
    encoder, dropped, validated = found.kept
    test = _arrays(cursor, f"(FROM {EXAMPLES} WHERE __sqlml_test) {ROW}", encoder)
    everything = _arrays(cursor, f"{EXAMPLES} {ROW}", encoder)
    method = METHODS[options.method]
    mine, final = together(
        [partial(evaluation.fit_all, method, rows, encoder, options, validated) for rows in (data, everything)], stage
    )
    fitted = {options.method: mine}
    for name in task.beside:
        if name in METHODS and name not in fitted:
            fitted[name] = evaluation.cross_fit(METHODS[name], data, encoder, options, stage)
    scores = {name: one.scores(METHODS[name], options, test.inputs) for name, one in fitted.items()}
    scores["base rate"] = _floor(data.labels, len(test.labels), target)
    evaluation.compare(cursor, HeldOut(_keys(cursor, target, options), list(scores.items())), options.seed, target)
    conformal = evaluation.conformal(scores[options.method], test.labels, target)
    evaluation.add_coverage(cursor, scores[options.method], test.labels, target, options.method, options.seed)
    importance = explanation.importance(method, mine, options, test)
    warnings = [*_leaks(cursor, encoder, target), *_level(fitted, options.method, target)]
    background = explanation.background(everything, final.links(method, options, everything.inputs))
    return Learned(
        options, trials, encoder, final.state, mine.calibration, [*left_out, *unusable, *dropped], tested, warnings,
        importance, conformal, background, scores[options.method], test.labels, len(everything.labels), mine.state.log,
    )  # fmt: skip


FitEncoder = Callable[[int], tuple[Encoder, list[Dropped]]]
Found = tuple[Encoder, Sequence[Dropped], Validated]


def _attempt(fit_encoder: FitEncoder, data: Arrays, stage: Stage, options: QueryOptions, title: str) -> Attempt[Found]:
    encoder, dropped = fit_encoder(options.bins)
    method = METHODS[options.method]
    validated = evaluation.cross_validate(method, data, encoder, options, lambda name: stage(title + name))
    return Attempt(validated.losses(encoder.target), (encoder, dropped, validated))


def _level(fitted: Mapping[str, Fitted], method: str, target: Target) -> list[str]:
    """A note for a simpler method that is as good."""
    mine = fitted[method].validated.losses(target)
    return [
        f"The {name} model is level with the {method} here (loss on rows not trained on: {theirs.mean():.4f} against "
        f"{mine.mean():.4f}). OPTIONS (method = '{name}') is simpler and scores faster."
        for name, other in fitted.items()
        if name != method and search.is_level(theirs := other.validated.losses(target), mine)
    ]


def _arrays(cursor: duckdb.DuckDBPyConnection, table: str, encoder: Encoder) -> Arrays:
    return encoding.read_arrays(cursor, table, encoder, ["__sqlml_label"], "__sqlml_fold", "__sqlml_number")


def _keys(cursor: duckdb.DuckDBPyConnection, target: Target, options: QueryOptions) -> pa.Table:
    label = "__sqlml_label = 1" if target.kind == "binary" else "__sqlml_label"
    key = "__sqlml_number" if options.key is None else identifier(options.key)
    query = f"""SELECT e.__sqlml_number AS customer_id, NULL::TIMESTAMP AS as_of, {label} AS label, false AS is_active,
                       r.{key}::VARCHAR AS key
                FROM {EXAMPLES} e JOIN {ROWS} r USING (__sqlml_number) WHERE __sqlml_test ORDER BY e.__sqlml_number"""
    return cursor.sql(query).to_arrow_table()


def _floor(labels: Vector, rows: int, target: Target) -> Vector:
    """What is answered without looking at a row: the shares of the classes, or the mean."""
    if target.kind != "classes":
        return np.full(rows, labels.mean(), np.float32)
    shares = np.bincount(labels.astype(int), minlength=target.size) / len(labels)
    return np.tile(shares.astype(np.float32), (rows, 1))


def _leaks(cursor: duckdb.DuckDBPyConnection, encoder: Encoder, target: Target) -> list[str]:
    """A warning for each column that almost decides a binary label on its own."""
    if target.kind != "binary":
        return []
    table = f"(SELECT {ROW}, __sqlml_label = 1 AS label FROM {EXAMPLES} {ROW})"
    found = {
        column.source: auc
        for column in encoder.columns
        if (auc := evaluation.auc_alone(cursor, table, column.expression, is_number=not column.is_category) or 0)
        >= LEAK_AUC
    }
    return [
        f"The column '{name}' alone tells the label (AUC {auc:.3f}). If it was written after the fact, exclude it."
        for name, auc in found.items()
    ]
