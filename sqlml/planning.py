"""Options of a behaviour model → what is learnt from which moments, before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import duckdb

from sqlml import behavior, cutoffs, queries, reading, targets
from sqlml.behavior import Facts
from sqlml.cutoffs import Calendar
from sqlml.errors import DataError, OptionError, did_you_mean, first_line
from sqlml.features import Source
from sqlml.options import BehaviorOptions
from sqlml.queries import Frame
from sqlml.reading import Reading
from sqlml.rehearsal import Periods, Recipe
from sqlml.targets import Label
from sqlml.tasks import BEHAVIOR_TASKS, CHURN, CLV, SEGMENT, TARGET_TASKS, Task, require_method

MOST_MOMENTS = 200
CUSTOMERS = "behavior.customers c"
MOST_PERIODS = 400
PERIOD = "1 month"
MIXED_AMOUNTS = "warning_amount_of_several_types"
SEGMENT_HORIZON = timedelta(days=90)
"""What segments tell apart by default, or a quarter of the history where that is shorter."""
LEAST_PERIOD = 0.1
"""What is left at the end of the horizon belongs to the last period if it is a smaller share of one than this."""


@dataclass(frozen=True)
class Plan:
    """A recipe and its calendar.

    Attributes:
        recipe: What is learnt, and how.
        calendar: The cut-offs of the model that is kept.
        rehearsal: Those of the same recipe one horizon earlier, or None where the data are too short.
        known: What the behaviour tables hold.
        every: The distance between cut-offs.
        left_out: Attributes that may not be used.
        warnings: What the record is to warn of.
        readings: How attributes that are numbers or times written as text are read.
    """

    recipe: Recipe
    calendar: Calendar
    rehearsal: Calendar | None
    known: Facts
    every: timedelta
    left_out: Sequence[str]
    warnings: Sequence[str]
    readings: Mapping[str, Reading]

    def at(self, as_of: datetime) -> Calendar:
        """The cut-offs of the same recipe with knowledge up to another moment."""
        most, is_partial = self.recipe.options.max_cutoffs, self.recipe.source.label.is_spend
        first, horizon = self.known.first_event, self.calendar.horizon
        return cutoffs.plan(first, as_of, horizon, self.every, most, is_partial=is_partial)


def of(cursor: duckdb.DuckDBPyConnection, chosen: BehaviorOptions) -> Plan:
    """Check the options against the tables.

    Raises:
        SqlmlError: They ask for what does not exist or cannot be learnt.
    """
    require_learnable(chosen)
    relations = behavior.read(cursor)
    behavior.require_sound(cursor, relations)
    known = behavior.facts(cursor)
    attributes, left_out = behavior.choose_attributes(relations, chosen.attributes)
    if chosen.active_event is not None:
        behavior.require_event_type(cursor, relations, chosen.active_event, "active_event =")
    label = targets.of(cursor, relations, chosen)
    task = task_of(chosen, label)
    if chosen.method == "auto" and task is CLV:
        chosen = replace(chosen, method=task.methods[0])
    as_of, horizon = _times(cursor, chosen, known)
    every = interval(cursor, "every", chosen.every, as_of) or horizon
    most, is_partial = chosen.max_cutoffs, label.is_spend
    calendar = cutoffs.plan(known.first_event, as_of, horizon, every, most, is_partial=is_partial)
    within = interval(cursor, "active_within", chosen.active_within, as_of)
    text = {name: queries.attribute_of(name) for name in attributes if reading.is_text(relations.customers[name])}
    readings = reading.of_columns(cursor, CUSTOMERS, text)
    read = {name: (each.kind, each.of(reading.text_of(text[name]))) for name, each in readings.items()}
    frame = Frame(relations, attributes, chosen.population or "true", label.order, read=read)
    examples = 1 if task is SEGMENT else known.n_customers * len(calendar.cutoffs)
    source = Source(frame, label, within, horizon, chosen.folds, min(1.0, chosen.max_examples / examples))
    earlier = cutoffs.rehearsal(known.first_event, calendar, every, most, is_partial=is_partial)
    periods = _periods(cursor, chosen, as_of, horizon) if task is CLV else Periods()
    notes = [note for name, each in text.items() for note in _notes(cursor, name, each, readings.get(name))]
    mixed = _mixed_amounts(cursor, frame) if label.is_spend and chosen.active_event is None else ()
    recipe = Recipe(task, source, chosen, periods)
    return Plan(recipe, calendar, earlier, known, every, left_out, [*mixed, *notes], readings)


def _mixed_amounts(cursor: duckdb.DuckDBPyConnection, frame: Frame) -> Sequence[str]:
    """A warning where the spend adds up amounts of several types of events."""
    if not frame.behavior.has("event_type"):
        return ()
    types = [str(kind) for kind, *_ in cursor.execute(queries.text(f"checks/{MIXED_AMOUNTS}")).fetchall()]
    listed = ", ".join(f"'{kind}'" for kind in types[:5])
    advice = "Give active_event = 'purchase', or whichever type is a purchase."
    return (f"Amounts of {len(types)} event types are added up: {listed}. {advice}",) if types else ()


def _notes(cursor: duckdb.DuckDBPyConnection, name: str, column: str, read: Reading | None) -> Sequence[str]:
    """What is to be said of an attribute that is text."""
    return read.warnings if read is not None else reading.alike(cursor, CUSTOMERS, name, column)


def require_meant(name: str, given: Mapping[str, object]) -> None:
    """Check that a model is not named after another task than the one it would have by default.

    Raises:
        OptionError: It is.
    """
    task = name.lower()
    if task in BEHAVIOR_TASKS and task != CHURN.name and not {"task", "predict"} & set(given):
        raise OptionError(f"Model {name} would be a churn model, as no task is given. Say which: OPTIONS (task = "
                          f"'{task}'), on the command line --task {task}.")  # fmt: skip


def _periods(
    cursor: duckdb.DuckDBPyConnection, chosen: BehaviorOptions, as_of: datetime, horizon: timedelta
) -> Periods:
    """The horizon cut into periods of the calendar; what is left at its end is one too.

    Raises:
        OptionError: The period is longer than the horizon, or there would be too many.
    """
    length = interval(cursor, "period", chosen.period or PERIOD, as_of)
    if length is None or (length > horizon and chosen.period):
        raise OptionError(f"Option period = {chosen.period} is longer than the horizon ({cutoffs.days(horizon)}).")
    if horizon / length > MOST_PERIODS:
        raise OptionError(f"Option period = {chosen.period} cuts the horizon into more than {MOST_PERIODS} periods.")
    query = """SELECT list((epoch(t) - epoch(t - i * $period::INTERVAL)) / 86400 ORDER BY i)
               FROM (SELECT $as_of::TIMESTAMP AS t), range(1, $most + 1) r(i)"""
    values = {"as_of": as_of, "period": chosen.period or PERIOD, "most": MOST_PERIODS}
    ends: list[float] = cursor.execute(query, values).fetchall()[0][0]
    days = horizon / timedelta(days=1)
    return Periods(tuple(end for end in ends if end < days - LEAST_PERIOD * ends[0]), chosen.discount)


def moment(cursor: duckdb.DuckDBPyConnection, known: Facts, chosen: BehaviorOptions) -> datetime:
    """The last moment that a training may know.

    Raises:
        OptionError: It lies in the future, or before the first event.
        DataError: All events lie at one moment.
    """
    as_of = known.newest_event
    if chosen.as_of is not None:
        as_of = _moment(cursor, "as_of", chosen.as_of)
    if as_of > known.now:
        raise OptionError(f"Option as_of = {as_of} lies in the future (now is {known.now:%Y-%m-%d %H:%M} UTC).")
    if known.first_event == known.newest_event:
        raise DataError(f"All events lie at one moment ({known.first_event}): nothing can be learnt from them.")
    if as_of <= known.first_event:
        raise OptionError(
            f"Option as_of = {as_of} lies before the first event ({known.oldest_event})."
            if as_of <= known.oldest_event
            else f"Option as_of = {as_of} lies before {known.first_event}: one event in a thousand is older."
        )
    return as_of


def without_as_of(chosen: BehaviorOptions) -> BehaviorOptions:
    """The same recipe, free to know everything that has happened by now."""
    return replace(chosen, as_of=None)


def moments(cursor: duckdb.DuckDBPyConnection, plan: Plan, start: str, end: str, every: str) -> list[datetime]:
    """The cut-offs from `start` to `end`.

    Raises:
        OptionError: There are none, too many, or the horizon after one of them is not over.
    """
    first, last = (_moment(cursor, "FROM ... TO", text) for text in (start, end))
    step = interval(cursor, "EVERY", every, first)
    if step is not None and (last - first) / step > 2 * MOST_MOMENTS:  # a month has the days that it has: not exact
        raise OptionError(
            f"EVERY {every} from {first} to {last} is more than {MOST_MOMENTS} cut-offs, each a training: choose a "
            "longer EVERY."
        )
    query = "SELECT generate_series($1::TIMESTAMP, $2::TIMESTAMP, $3::INTERVAL)"
    found: list[datetime] = cursor.execute(query, [first, last, every]).fetchall()[0][0]
    over = plan.calendar.as_of - plan.calendar.horizon
    if not found:
        raise OptionError(f"There is no cut-off from {first} to {last}: the end lies before the start.")
    if found[-1] > over:
        raise OptionError(
            f"A back-test at {found[-1]} needs the {cutoffs.days(plan.calendar.horizon)} after it; "
            f"the events end at {plan.calendar.as_of}. Let it end TO '{over:%Y-%m-%d}' or earlier."
        )
    if len(found) > MOST_MOMENTS:
        raise OptionError(
            f"{len(found):,} cut-offs are more than {MOST_MOMENTS}, each a training: choose a longer EVERY."
        )
    return found


def require_learnable(chosen: BehaviorOptions) -> Task | None:
    """Check the options before any event is read. Returns the task where the label need not be seen to know it.

    Raises:
        OptionError: There is no such task, or it has no such method.
    """
    if chosen.predict is not None and (chosen.task is not None or chosen.active_event is not None):
        raise OptionError("PREDICT says what to predict: leave out the options task and active_event.")
    task = _named_task(chosen.task or "churn") if chosen.predict is None else None
    methods = [method for each in TARGET_TASKS.values() for method in each.methods]
    if task is not None and chosen.method != "auto":
        require_method(task, chosen.method)
    elif task is None and chosen.method not in ("auto", *methods):
        raise OptionError(f"PREDICT has no method '{chosen.method}'." + did_you_mean(
            chosen.method, set(methods), "methods"))  # fmt: skip
    return task


def task_of(chosen: BehaviorOptions, label: Label) -> Task:
    """The row of the table of tasks.

    Raises:
        OptionError: There is no such task, or it has no such method.
    """
    if chosen.predict is not None:
        task = TARGET_TASKS["binary" if label.is_binary else "value"]
    else:
        task = _named_task(chosen.task or "churn")
    if chosen.method != "auto":
        require_method(task, chosen.method)
    return task


def _named_task(name: str) -> Task:
    if name not in BEHAVIOR_TASKS:
        hint = " A query model needs AS and its query." if name in ("classification", "regression") else ""
        raise OptionError(f"There is no task '{name}'." + did_you_mean(name, BEHAVIOR_TASKS, "tasks") + hint)
    return BEHAVIOR_TASKS[name]


def _times(cursor: duckdb.DuckDBPyConnection, chosen: BehaviorOptions, known: Facts) -> tuple[datetime, timedelta]:
    as_of = moment(cursor, known, chosen)
    horizon = interval(cursor, "horizon", chosen.horizon, as_of)
    if horizon is None and chosen.task == SEGMENT.name:
        return as_of, min(SEGMENT_HORIZON, (as_of - known.first_event) / 4)
    if horizon is None:
        fitting = cutoffs.days(cutoffs.proposed(as_of - known.first_event))
        raise OptionError(f"Option horizon is missing: how far ahead to predict, e.g. horizon = '{fitting}'.")
    return as_of, horizon


def interval(cursor: duckdb.DuckDBPyConnection, option: str, text: str | None, as_of: datetime) -> timedelta | None:
    """An interval as the exact time before as_of that it covers: a month has the days it had."""
    if text is None:
        return None
    query = "SELECT $2::TIMESTAMP - ($2::TIMESTAMP - $1::INTERVAL)"
    length: timedelta = _value(cursor, option, query, "An interval is e.g. 90 days, 12 weeks or 3 months.", text, as_of)
    if length <= timedelta(0):
        raise OptionError(f"Option {option} = {text} must be longer than nothing.")
    return length


def _moment(cursor: duckdb.DuckDBPyConnection, option: str, text: str) -> datetime:
    """A moment in UTC; an offset in its text counts."""
    query = f"SELECT {queries.text('binding/utc', text='$1')}"
    found: datetime = _value(cursor, option, query, "A moment is e.g. 2025-06-01 or 2025-06-01 12:00:00+02:00.", text)
    return found


def _value(cursor: duckdb.DuckDBPyConnection, option: str, query: str, forms: str, *parameters: object):  # type: ignore[no-untyped-def]  # noqa: ANN202
    try:
        return cursor.execute(query, list(parameters)).fetchall()[0][0]
    except duckdb.Error as error:
        raise OptionError(
            f"Option {option} = {parameters[0]!r} cannot be read: {first_line(error)}. {forms}"
        ) from error
