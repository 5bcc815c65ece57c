"""A query model: rows with a label → rows held out → metrics and calibration → the model of all rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import cast

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sqlml import (
    columns,
    comparison,
    conformal,
    encoding,
    evaluation,
    explanation,
    leaks,
    queries,
    reading,
    search,
    segments,
)
from sqlml.columns import Made
from sqlml.conformal import Conformal
from sqlml.encoding import Arrays, Dropped
from sqlml.errors import DataError, OptionError, did_you_mean
from sqlml.evaluation import Fitted, HeldOut, Validated, Vector
from sqlml.explanation import Importance
from sqlml.leaks import Finding
from sqlml.methods.base import State
from sqlml.options import QueryOptions
from sqlml.queries import ROW, identifier, literal
from sqlml.reading import Reading
from sqlml.search import Attempt, Trial
from sqlml.segments import Segmented
from sqlml.tasks import METHODS, QUERY_TASKS, SEGMENT, Task
from sqlml.training import Stage, together
from sqlml.transforms import Calibration, Encoder, Target

ROWS, EXAMPLES, STREAM = "sqlml_rows", "sqlml_examples", "sqlml_stream"
TRAINING = f"(FROM {EXAMPLES} WHERE NOT __sqlml_test)"
LEAST_ROWS, LEAST_OF_EACH, MOST_CLASSES, TWO = 50, 10, 200, 2
LONE = 0.9
"""A share of the variance of all labels which one row must not make."""
NET = "net"
ORDERED = {
    ("0", "1"),
    ("false", "true"),
    ("f", "t"),
    ("no", "yes"),
    ("n", "y"),
    ("off", "on"),
    ("negative", "positive"),
}
"""Pairs of classes of which the second is asked for, whatever the alphabet."""


@dataclass(frozen=True)
class Learned:
    """What is kept of a training; the metrics lie in the temporary tables that `evaluation.compare` writes.

    `answers` and `labels` are those of the rows held out, whose `numbers` (n,) count the rows of the query.
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
    conformal: Conformal
    background: Vector
    answers: Vector
    labels: Vector
    numbers: NDArray[np.int64]
    n_rows: int
    log: Sequence[tuple[float, float]]
    comparison: str
    leaks: Sequence[Finding]
    readings: Mapping[str, Reading]


def on_common_rows(one: Learned, other: Learned) -> tuple[Learned, Learned]:
    """Both with the held-out rows that both were tested on: each leaves out rows without a value in its columns."""
    _, *places = np.intersect1d(one.numbers, other.numbers, return_indices=True)
    first, second = (
        replace(each, answers=each.answers[at], labels=each.labels[at], numbers=each.numbers[at])
        for each, at in zip((one, other), places, strict=True)
    )
    return first, second


def require_learnable(recipes: Sequence[QueryOptions]) -> Task | None:
    """Check the options before any row is read. Returns the task where the label need not be seen to know it.

    Raises:
        OptionError: There is no such task, it has no such method, or the label is not named.
    """
    asked, known = recipes[0], tuple(dict.fromkeys(task.name for task in QUERY_TASKS.values()))
    if asked.task not in (None, *known):
        raise OptionError(f"A query model has no task '{asked.task}'." + did_you_mean(str(asked.task), known, "tasks"))
    if asked.task != SEGMENT.name and asked.label is None:
        raise OptionError("Option label is missing: which column to predict, e.g. label = 'churned'.")
    fitting = [task for task in QUERY_TASKS.values()
               if task.name == asked.task or (asked.task is None and task.name != SEGMENT.name)]  # fmt: skip
    methods = {method for task in fitting for method in task.methods} | {"auto"}
    for recipe in recipes:
        if recipe.method not in methods:
            what = f"Task {asked.task}" if asked.task else "A query model"
            raise OptionError(
                f"{what} has no method '{recipe.method}'." + did_you_mean(recipe.method, methods, "methods")
            )
    return fitting[0] if len({task.functions for task in fitting}) == 1 else None


def require_label(names: Sequence[str], label: object) -> None:
    """Check that the query has the label among its columns, before any row is read.

    Raises:
        OptionError: It has not.
    """
    name = str(label)
    if label is not None and name not in names:
        raise OptionError(f"The query has no column '{name}' for the label." + did_you_mean(name, names, "columns"))


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
    cursor: duckdb.DuckDBPyConnection, types: Mapping[str, str], options: QueryOptions, target: Target | None = None
) -> tuple[dict[str, int], list[str]]:
    """Of more rows with a label than `max_examples` keep about so many, by chance: (rows before, a note after).

    Rows that a flag holds out are not learnt from, and stay.
    """
    known = "true" if target is None else f"({label_of(target, options)}) IS NOT NULL"
    given = {"rows": _count(cursor), "rows_with_label": _count(cursor, known)}
    how, is_test = _split(cursor, types, options)
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
    return int(cursor.execute(f"SELECT count(*) FROM {ROWS} {ROW} WHERE {condition}").fetchall()[0][0])


def target_of(cursor: duckdb.DuckDBPyConnection, types: Mapping[str, str], options: QueryOptions) -> Target:
    """What the label is: by `task`, or by its type.

    Raises:
        OptionError: The label cannot be what the task says.
        DataError: Too few rows or classes have it.
    """
    name = str(options.label)
    read = _label_reading(cursor, types, options)
    target = Target(expression=read.of(reading.text_of(_column(name))) if read else "")
    label, is_number = label_of(target, options), read is not None or encoding.is_number(types[name])
    query = queries.text("rows/label", rows=f"{ROWS} {ROW}", label=label, is_number=str(is_number))
    known, distinct = cursor.execute(query).fetchall()[0]
    if known < LEAST_ROWS:
        raise DataError(f"Rows with a label that is not NULL: {known:,}; {LEAST_ROWS} are the least.")
    if distinct < TWO:
        raise DataError(f"Every label in '{options.label}' is the same: nothing to tell apart.")
    kind = types[name]
    if options.task == "classification" or (options.task is None and (not is_number or distinct <= TWO)):
        return _classes(cursor, kind, options)
    if not is_number:
        raise OptionError(
            f"task = 'regression' needs a number; the label '{options.label}' is {kind} and does not read as numbers."
        )
    return replace(encoding.number_target(cursor, f"{ROWS} {ROW}", label), expression=target.expression)


def label_of(target: Target, options: QueryOptions) -> str:
    """SQL over a row for its label: a column, or where it is a number written as text what is read of it."""
    return target.expression or _column(str(options.label))


def _column(name: str) -> str:
    return f"{ROW}.{identifier(name)}"


def _label_reading(
    cursor: duckdb.DuckDBPyConnection, types: Mapping[str, str], options: QueryOptions
) -> Reading | None:
    """How a label of text is read as a number; with few values it is one only where the task says so."""
    label = str(options.label)
    if options.task == "classification" or not reading.is_text(types[label]):
        return None
    few = 0 if options.task == "regression" else reading.FEW
    read = reading.of_columns(cursor, f"{ROWS} {ROW}", {label: _column(label)}, few).get(label)
    return read if read is not None and not columns.is_time(read.kind) else None


def _classes(cursor: duckdb.DuckDBPyConnection, kind: str, options: QueryOptions) -> Target:
    name = str(options.label)
    label = identifier(name)
    query = f"SELECT {label}::VARCHAR, count(*) FROM {ROWS} WHERE {label} IS NOT NULL GROUP BY {label} ORDER BY {label}"
    counts = dict(cursor.execute(query).fetchall())
    levels = list(counts)
    if len(levels) > MOST_CLASSES:
        raise DataError(f"The label {label} has {len(levels):,} classes; {MOST_CLASSES} are the most.")
    for level, count in counts.items():
        if count < LEAST_OF_EACH:
            alike = reading.alike(cursor, ROWS, name, label) if reading.is_text(kind) else []
            raise DataError(
                f"Class {level!r} of the label {label} has {count} rows; {LEAST_OF_EACH} are the least. "
                "Leave it out with WHERE, or merge it with another in the query."
                + "".join(f" {each}" for each in alike)
            )
    if options.positive is not None:
        positive = _class_of(levels, options.positive, is_number=encoding.is_number(kind))
        if len(levels) != TWO or positive is None:
            raise OptionError(f"Option positive = {options.positive!r} must be one of two classes." + did_you_mean(
                options.positive, levels, "classes"))  # fmt: skip
        levels.sort(key=lambda level: level == positive)
    return Target("classes" if len(levels) > TWO else "binary", tuple(levels))


def _class_of(levels: Sequence[str], given: str, *, is_number: bool) -> str | None:
    """The class that is meant: 1 is 1.0 where classes are numbers."""
    if given in levels or not is_number:
        return given if given in levels else None
    try:
        return next((level for level in levels if float(level) == float(given)), None)
    except ValueError:
        return None


def _label_notes(
    cursor: duckdb.DuckDBPyConnection, types: Mapping[str, str], target: Target, options: QueryOptions
) -> list[str]:
    """What a user should know of how the label is understood."""
    name = str(options.label)
    if not reading.is_text(types[name]):
        return []
    if not target.levels:
        read = _label_reading(cursor, types, options)
        how = f"The label '{name}' is text, read as {read.how}" if read else ""
        return (
            [f"{how}, and learnt as a number. task = 'classification' makes classes of it.", *read.warnings]
            if read
            else []
        )
    found = reading.alike(cursor, ROWS, name, identifier(name))
    first, last = target.levels[0], target.levels[-1]
    if target.kind == "binary" and options.positive is None and not _is_ordered(first, last):
        found.append(
            f"The probability is that of '{last}', by the alphabet the last of the two classes. "
            f"For that of '{first}': OPTIONS (positive = {literal(first)})."
        )
    return found


def _largest_note(cursor: duckdb.DuckDBPyConnection, target: Target) -> list[str]:
    """A note where one label is further off than all others together: nothing else can be learnt beside it."""
    if target.levels:
        return []
    query = f"""SELECT max(d) / sum(d), arg_max(label, d) FROM (
                SELECT __sqlml_label AS label, (__sqlml_label - avg(__sqlml_label) OVER ()) ^ 2 AS d FROM {EXAMPLES})"""
    share, label = cursor.execute(query).fetchall()[0]
    if not share or share < LONE:
        return []
    return [
        f"One row has the label {label:g}, which makes {share:.0%} of the variance: the model learns little else. "
        "Leave the row out, or bound the label: least(label, ...)."
    ]


def _is_ordered(first: str, last: str) -> bool:
    """Whether two classes are such that the second is plainly the positive one."""
    return (first.strip().lower(), last.strip().lower()) in ORDERED


def hold_out(cursor: duckdb.DuckDBPyConnection, types: Mapping[str, str], target: Target, options: QueryOptions) -> str:
    """Fill the temporary table of examples; returns how rows were held out.

    Raises:
        OptionError: split and split_column do not fit together.
    """
    how, is_test = _split(cursor, types, options)
    label = label_of(target, options)
    listed = ", ".join(map(literal, target.levels))
    is_classes = bool(target.levels)
    content = ", ".join(f"{ROW}.{identifier(name)}" for name in types if name != options.key)
    query = queries.text(
        "rows/examples",
        examples=EXAMPLES,
        rows=ROWS,
        row=ROW,
        label=f"list_position([{listed}], {label}::VARCHAR) - 1" if is_classes else label,
        stratum=f"{label}::VARCHAR" if is_classes else "0",
        content=content,
        is_test=is_test,
    )
    cursor.execute(query, {"seed": options.seed, "folds": options.folds}).fetchall()
    return how


def _require_both(cursor: duckdb.DuckDBPyConnection, how: str) -> None:
    """Check that there are rows to learn from and rows to test on.

    Raises:
        DataError: There are too few of either, or all that are learnt from have one label.
    """
    counted = f"""SELECT count_if(__sqlml_test), count_if(NOT __sqlml_test),
                         count(DISTINCT __sqlml_label) FILTER (NOT __sqlml_test) FROM {EXAMPLES}"""
    test, training, labels = cursor.execute(counted).fetchall()[0]
    if min(test, training) < LEAST_OF_EACH:
        raise DataError(f"The split '{how}' holds out {test:,} of {test + training:,} rows: too few different rows.")
    if labels < TWO:
        raise DataError(f"The split '{how}' leaves {training:,} rows to learn from, all with the same label.")


@dataclass(frozen=True)
class LearnedSegments:
    """What is kept of a segmentation of rows; its metrics lie in `sqlml_metrics`."""

    options: QueryOptions
    trials: Sequence[Trial]
    found: Segmented
    dropped: Sequence[Dropped]
    warnings: Sequence[str]
    readings: Mapping[str, Reading]


def learn_segments(
    cursor: duckdb.DuckDBPyConnection, types: Mapping[str, str], options: QueryOptions, so_far: str | None, stage: Stage
) -> LearnedSegments:
    """Segments of the rows that `load` kept; `so_far` is an expression for the segment of a row until now.

    Raises:
        DataError: There are too few rows.
    """
    rows = _count(cursor)
    if rows < LEAST_ROWS:
        raise DataError(f"Rows to segment: {rows:,}; {LEAST_ROWS} are the least.")
    chosen, left_out = columns.choose(types, options)
    made = columns.inputs(cursor, ROWS, {name: types[name] for name in chosen}, "1")
    target = Target("segment")
    encoder, dropped = encoding.fit(cursor, f"{ROWS} {ROW}", made.inputs, options.bins, columns.MOST_LEVELS, target)
    data = encoding.read_arrays(
        cursor, f"{ROWS} {ROW}", encoder, ["0"] * 3, "row_number() OVER (ORDER BY __sqlml_number) - 1", "__sqlml_number"
    )  # nothing of a future is known
    task = QUERY_TASKS["segment"]
    found, trials = segments.choose(cursor, task, options, encoder, data, stage)
    numbers = f"SELECT coalesce({so_far}, 0) AS number FROM {ROWS} {ROW} ORDER BY __sqlml_number"
    old = segments.numbers_so_far(cursor, numbers) if so_far else None
    kept = segments.keep(cursor, found, encoder, data, old, stage)
    left_out = [*left_out, *made.left_out, *dropped]
    warnings = [*made.warnings, *segments.note(trials)]
    return LearnedSegments(cast("QueryOptions", found), trials, kept, left_out, warnings, made.readings)


def _split(cursor: duckdb.DuckDBPyConnection, types: Mapping[str, str], options: QueryOptions) -> tuple[str, str]:
    """How rows are held out, and the SQL condition."""
    column, fraction = options.split_column, options.test_fraction
    if column is not None and column not in types:
        raise OptionError(f"The query has no column '{column}' to split by." + did_you_mean(column, types, "columns"))
    kind, value = (types[column], identifier(column)) if column is not None else ("", "")
    if reading.is_text(kind) and (read := reading.of_columns(cursor, ROWS, {"": value}, 0).get("")):
        kind, value = read.kind, read.of(reading.text_of(value))
    how = options.split
    if how == "auto":
        how = "random" if column is None else "time" if columns.is_time(kind) else "custom"
    if how == "random":
        return how, f"floor(__sqlml_place * {fraction}) > floor((__sqlml_place - 1) * {fraction})"
    if column is None:
        raise OptionError(f"split = '{how}' needs a split_column.")
    if how == "time":
        return how, f"{value} > ({queries.text('rows/newest', time=value, fraction=str(fraction))})"
    return how, f"{identifier(column)}::BOOLEAN"


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
    made = columns.inputs(cursor, TRAINING, {name: types[name] for name in chosen}, "__sqlml_label")
    unknown = _leave_out_unknown(cursor, made)
    _require_both(cursor, tested)
    task, training = QUERY_TASKS[target.kind], f"{TRAINING} {ROW}"
    fit_encoder = partial(encoding.fit, cursor, training, made.inputs, most_levels=columns.MOST_LEVELS, target=target)
    everything, is_test = _arrays(cursor, fit_encoder(recipes[0].bins)[0])  # the same for any number of bins
    data, test = everything.where(~is_test), everything.where(is_test)
    seen: dict[str, Validated] = {}
    options, found, trials = search.best(
        search.expand(recipes, task.methods),
        partial(_attempt, fit_encoder, data, stage, seen),
        budget,
        prefers=task.simple if any(r.method == "auto" for r in recipes) else None,
    )
    encoder, dropped, validated = found.kept
    method = METHODS[options.method]
    mine, final = together(
        [partial(evaluation.fit_all, method, rows, encoder, options, validated) for rows in (data, everything)], stage
    )
    fitted = {options.method: mine}
    for name in task.beside:
        if name in METHODS and name not in fitted:
            fitted[name] = evaluation.linear_beside(mine, options)  # every net has one
    scores = {name: one.scores(METHODS[name], options, test.inputs) for name, one in fitted.items()}
    scores[comparison.BASE_RATE] = _floor(data.labels, len(test.labels), target)
    held_out = HeldOut(_keys(cursor, target, options), list(scores.items()))
    evaluation.compare(cursor, held_out, options.seed, target, options.threshold)
    intervals = conformal.conformal(scores[options.method], test.labels, target)
    conformal.add_coverage(cursor, scores[options.method], test.labels, target, options.method, options.seed)
    importance = explanation.importance(method, mine, options, test)
    compared = comparison.of(options.method, scores, test.labels, target)
    looked_at = _leaks(cursor, encoder, target)
    warnings = [
        *compared.warnings,
        *_label_notes(cursor, types, target, options),
        *_largest_note(cursor, target),
        *made.warnings,
        *unknown,
        *_told(looked_at),
        *_level(fitted, options.method, target),
    ]
    background = explanation.background(everything, final.links(method, options, everything.inputs))
    return Learned(
        options, trials, encoder, final.state, mine.calibration, [*left_out, *made.left_out, *dropped], tested,
        warnings, importance, intervals, background, scores[options.method], test.labels,
        held_out.keys["customer_id"].to_numpy(), len(everything.labels), mine.state.log, compared.sentence, looked_at,
        made.readings,
    )  # fmt: skip


FitEncoder = Callable[[int], tuple[Encoder, list[Dropped]]]
Found = tuple[Encoder, Sequence[Dropped], Validated]


def _attempt(
    fit_encoder: FitEncoder, data: Arrays, stage: Stage, seen: dict[str, Validated], options: QueryOptions, title: str
) -> Attempt[Found]:
    """Cross-validate a recipe; of the linear model beside a net in `seen` the folds are known already."""
    encoder, dropped = fit_encoder(options.bins)
    if NET in seen and options.method != NET:
        validated = evaluation.linear_part(seen[NET], encoder.target, options)
    else:
        method = METHODS[options.method]
        validated = evaluation.cross_validate(method, data, encoder, options, lambda name: stage(title + name))
    seen[options.method] = validated
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


def _arrays(cursor: duckdb.DuckDBPyConnection, encoder: Encoder) -> tuple[Arrays, NDArray[np.bool_]]:
    """All examples, read once, and which of them are held out: the fold of these is negative."""
    fold = "CASE WHEN __sqlml_test THEN -1 - __sqlml_fold ELSE __sqlml_fold END"
    found = encoding.read_arrays(cursor, f"{EXAMPLES} {ROW}", encoder, ["__sqlml_label"], fold, "__sqlml_number")
    is_test = found.folds < 0
    return replace(found, folds=np.where(is_test, -1 - found.folds, found.folds)), is_test


def _leave_out_unknown(cursor: duckdb.DuckDBPyConnection, made: Made) -> list[str]:
    """Take away the examples that hold nothing that is learnt from; a note where there are some.

    The functions cannot tell them from rows that a LEFT JOIN does not find, and give NULL: they are neither learnt from
    nor tested.
    """
    if not made.inputs:
        return []
    known = queries.any_known([each.source for each in made.inputs])
    (rows,) = cursor.execute(f"SELECT count(*) FROM {EXAMPLES} {ROW} WHERE NOT ({known})").fetchall()[0]
    if not rows:
        return []
    cursor.execute(f"DELETE FROM {EXAMPLES} {ROW} WHERE NOT ({known})").fetchall()
    return [
        f"{rows:,} rows have no value in any column that is learnt from, and are left out. The functions of the model "
        "give NULL for such rows, as for those that a LEFT JOIN does not find."
    ]


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


def _leaks(cursor: duckdb.DuckDBPyConnection, encoder: Encoder, target: Target) -> list[Finding]:
    """How well each column tells the label on its own."""
    label = "__sqlml_label = 1" if target.kind == "binary" else "__sqlml_label"
    table = f"(SELECT {ROW}, {label} AS label, __sqlml_fold % 2 AS half FROM {EXAMPLES} {ROW})"
    inputs = Counter(column.source for column in encoder.columns)
    looked_at = [
        leaks.Column(column.source, column.expression, not column.is_category)
        for column in encoder.columns
        if inputs[column.source] <= leaks.MOST_INPUTS
    ]
    return leaks.audit(cursor, table, looked_at, target.kind)


def _told(found: Sequence[Finding]) -> list[str]:
    """A warning for each column that almost decides the label."""
    return [
        f"The column {one.text}. If it was written after the fact, exclude it: "
        f"OPTIONS (exclude = [{literal(one.column)}])."
        for one in found
        if one.is_suspect
    ]
