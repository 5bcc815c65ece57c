"""A model from statement to catalogue, and from catalogue to forward pass."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from importlib.metadata import version as package_version

import duckdb
import jax
import jax.numpy as jnp
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sqlml import behavior, cutoffs, explanation, lifecycle, losses, macros, options, rehearsal, search, tabular
from sqlml.behavior import Facts
from sqlml.catalog import Catalog, NewVersion, Version
from sqlml.encoding import Dropped
from sqlml.errors import DataError, OptionError, did_you_mean
from sqlml.features import Source
from sqlml.lifecycle import Workplace
from sqlml.methods.base import Forward as MethodForward
from sqlml.methods.base import State, Weights, part
from sqlml.options import BehaviorOptions
from sqlml.queries import Behavior
from sqlml.rehearsal import Recipe, Run
from sqlml.tasks import BEHAVIOR_TASKS, METHODS, QUERY_TASKS, Task, require_method
from sqlml.training import Stage
from sqlml.transforms import Calibration, Encoder
from sqlml.udf import Forward

CALIBRATION, BACKGROUND = "calibration", "background"
PACKAGES = ("sqlml", "duckdb", "jax", "flax", "optax", "numpy")


def create_behavior_model(place: Workplace, name: str, values: Mapping[str, object], *, is_replace: bool) -> Version:
    """Train a behaviour model, rehearse it, store and promote it, register its functions.

    Raises:
        SqlmlError: Anything that keeps the model from being made; nothing has then been written.
    """
    started = time.monotonic()
    chosen = options.make(BehaviorOptions, values)
    task = _behavior_task(chosen)
    store = Catalog(place.cursor, place.database)
    lifecycle.require_free(place.cursor, store, name, [f for _, f, _ in task.named(name)], is_replace=is_replace)
    relations = behavior.read(place.cursor)
    behavior.require_sound(place.cursor, relations)
    known = behavior.facts(place.cursor)
    attributes, left_out = behavior.choose_attributes(relations, chosen.attributes)
    if chosen.active_event is not None:
        _require_event_type(place.cursor, relations, chosen.active_event)
    as_of, horizon = _times(place.cursor, chosen, known)
    every = _interval(place.cursor, "every", chosen.every, as_of) or horizon
    calendar = cutoffs.plan(known.first_event, as_of, horizon, every, chosen.max_cutoffs)
    parameters = {option: getattr(chosen, option) for option in task.label_options}
    within = _interval(place.cursor, "active_within", chosen.active_within, as_of)
    source = Source(relations, attributes, task.label, parameters, within, horizon, chosen.folds)
    recipe = Recipe(task, source, chosen)
    with place.progress(f"Training {name}") as stage:
        trained, tested, tests = _train(place.cursor, recipe, calendar, known, every, stage)
    timeless = [Dropped(f"customer.{c}", "an attribute without time, not named in attributes") for c in left_out]
    new = NewVersion(
        model=name,
        task=task.name,
        trained_until=as_of,
        horizon=horizon,
        label_window=calendar.window,
        lookback=calendar.lookback,
        tested=tested,
        options=chosen,
        key_type=relations.events["customer_id"],
        encoder=trained.fitted.encoder,
        input_sql=macros.feature_sql(relations, attributes, trained.fitted.encoder)[0],
        packages={package: package_version(package) for package in PACKAGES},
        fingerprint={**vars(known)},
        seconds=time.monotonic() - started,
        weights=_weights(trained.fitted.state, trained.fitted.calibration),
        cutoffs=[(c.purpose, c.as_of, c.n_rows, c.base_rate) for c in (*tests, *trained.cutoffs)],
        features=_features(trained.fitted.encoder, [*trained.dropped, *timeless]),
        warnings=_warnings(calendar, tested, chosen, as_of, known),
        training_log=trained.fitted.state.log,
        functions=task.named(name),
    )
    return _publish(place, store, new, macros.of_behavior(new, task, relations, attributes))


def create_query_model(
    place: Workplace, name: str, values: Mapping[str, object], query: str, rows: pa.Table, *, is_replace: bool
) -> Version:
    """Train a model on the rows of a query, test it on rows held out, store and promote it, register its functions.

    Raises:
        SqlmlError: Anything that keeps the model from being made; nothing has then been written.
    """
    started = time.monotonic()
    recipes = search.plan(values)
    asked = recipes[0]
    budget = _interval(place.cursor, "budget", asked.budget, datetime.now())
    store = Catalog(place.cursor, place.database)
    types = tabular.load(place.cursor, rows)
    target = tabular.target_of(place.cursor, types, asked)
    task = QUERY_TASKS[target.kind]
    for method in {recipe.method for recipe in recipes} - {"auto"}:
        require_method(task, method)
    lifecycle.require_free(place.cursor, store, name, [f for _, f, _ in task.named(name)], is_replace=is_replace)
    with place.progress(f"Training {name}") as stage:
        seconds = budget.total_seconds() if budget else math.inf
        learned = tabular.learn(place.cursor, types, target, recipes, seconds, stage)
    chosen = learned.options
    weights = {**_weights(learned.state, learned.calibration), BACKGROUND: learned.background}
    new = NewVersion(
        model=name,
        task=task.name,
        tested=learned.tested,
        options=chosen,
        key_type=types.get(str(chosen.key)),
        query=query,
        encoder=learned.encoder,
        input_sql=macros.fields(learned.encoder),
        packages={package: package_version(package) for package in PACKAGES},
        fingerprint={"rows": rows.num_rows, "rows_with_label": learned.n_rows},
        seconds=time.monotonic() - started,
        weights=weights,
        features=_features(learned.encoder, learned.dropped),
        importance=[(i.feature, i.importance, i.deviation) for i in learned.importance],
        trials=[(t.number, json.dumps(t.options), t.loss, t.seconds, t.is_chosen) for t in learned.trials],
        warnings=learned.warnings,
        training_log=learned.log,
        functions=task.named(name),
    )
    statements = macros.of_query(new, task, chosen, types[str(chosen.label)], learned.calibration, learned.conformal)
    return _publish(place, store, new, statements)


def load_forward(cursor: duckdb.DuckDBPyConnection, version: Version, asked: str) -> Forward:
    """The compiled forward pass of a stored version: inputs (columns, rows) → answers, or the effects of its columns.

    Raises:
        CatalogError: The weights are missing or damaged.
    """
    weights = Catalog(cursor, version.database).weights(version.version_id)
    stored = part(weights, CALIBRATION)
    slope, offset = (tuple(stored[name].tolist()) for name in ("slope", "offset"))
    calibration = Calibration(slope, offset, stored["power"].item())
    background = weights.pop(BACKGROUND, np.zeros((0, 0), np.float32))
    encoder = version.encoder
    forward = METHODS[version.method].forward(encoder, version.options)
    on_device = jax.device_put(weights)

    def answers(weights: Weights, inputs: jax.Array) -> jax.Array:
        return losses.answers(forward(weights, inputs.T), encoder.target, calibration)

    def effects(weights: Weights, inputs: jax.Array) -> jax.Array:
        unit = encoder.target.scale if encoder.target.kind == "value" else 1.0
        output = partial(_main_output, forward, weights, calibration, unit, inputs.T)
        return explanation.effects(output, encoder, background)(inputs.T)

    compiled = jax.jit(effects if asked == "effects" else answers)
    return lambda inputs: np.asarray(compiled(on_device, inputs))


def _main_output(
    forward: MethodForward, weights: Weights, calibration: Calibration, unit: float, rows: jax.Array, mixed: jax.Array
) -> jax.Array:
    """The calibrated output that an explanation is of: for several classes, that of the class predicted for `rows`.

    In log-odds, in the logarithm of an amount, or in the `unit` of a value.
    """
    slope, offset = jnp.asarray(calibration.slope), jnp.asarray(calibration.offset)
    outputs, own = (losses.blend(forward(weights, x), slope, offset) for x in (mixed, rows))
    return unit * jnp.take_along_axis(outputs, own.argmax(1)[:, None], 1)[:, 0]


def _train(
    cursor: duckdb.DuckDBPyConnection,
    recipe: Recipe,
    calendar: cutoffs.Calendar,
    known: Facts,
    every: timedelta,
    stage: Stage,
) -> tuple[Run, str, Sequence[rehearsal.CutoffRow]]:
    """The rehearsal and the real run. Returns (run, how it was tested, the rehearsal's cut-offs)."""
    earlier = cutoffs.rehearsal(known.first_event, calendar, every, recipe.options.max_cutoffs)
    if earlier:
        tested = "in time"
        tests = rehearsal.in_time(cursor, recipe, earlier, earlier.as_of, calendar.as_of, stage)
    else:
        tested = "by customers"
        tests = rehearsal.by_customers(cursor, recipe, calendar, stage)
    run = rehearsal.final(cursor, recipe, calendar, stage)
    return run, tested, tests


def _publish(place: Workplace, store: Catalog, new: NewVersion, statements: Iterable[str]) -> Version:
    """Functions first, then catalogue and macros in one transaction; on failure neither is left."""
    version = new.as_version(0, place.database)
    place.registry.register(version)
    try:
        with store.transaction():
            version = store.insert(new, statements)
    except BaseException:
        place.registry.remove(version.version_id)
        raise
    return version


def _weights(state: State, calibration: Calibration) -> dict[str, NDArray[np.float32]]:
    stored = {f"{CALIBRATION}.{name}": np.asarray(value, np.float32) for name, value in vars(calibration).items()}
    return {**state.weights, **stored}


def _features(encoder: Encoder, dropped: Sequence[Dropped]) -> list[tuple[str, bool, str]]:
    used = [(c.name, True, f"{len(c.levels)} levels" if c.is_category else f"{len(c.edges) - 1} bins")
            for c in encoder.columns]  # fmt: skip
    return [*used, *((d.column, False, d.reason) for d in dropped)]


def _behavior_task(chosen: BehaviorOptions) -> Task:
    if chosen.task not in BEHAVIOR_TASKS:
        hint = " A query model needs AS and its query." if chosen.task in ("classification", "regression") else ""
        raise OptionError(
            f"There is no task '{chosen.task}'." + did_you_mean(chosen.task, BEHAVIOR_TASKS, "tasks") + hint
        )
    task = BEHAVIOR_TASKS[chosen.task]
    require_method(task, chosen.method)
    return task


def _times(cursor: duckdb.DuckDBPyConnection, chosen: BehaviorOptions, known: Facts) -> tuple[datetime, timedelta]:
    as_of = known.newest_event
    if chosen.as_of is not None:
        as_of = _value(cursor, "as_of", "SELECT ?::TIMESTAMP", chosen.as_of)
    if as_of > known.now:
        raise OptionError(f"Option as_of = {as_of} lies in the future (now is {known.now:%Y-%m-%d %H:%M} UTC).")
    if known.first_event == known.newest_event:
        raise DataError(f"All events lie at one moment ({known.first_event}): nothing can be learnt from them.")
    if as_of <= known.first_event:
        raise OptionError(f"Option as_of = {as_of} lies before the first event ({known.first_event}).")
    horizon = _interval(cursor, "horizon", chosen.horizon, as_of)
    if horizon is None:
        raise OptionError("Option horizon is missing: how far ahead to predict, e.g. horizon = INTERVAL 90 DAY.")
    return as_of, horizon


def _interval(cursor: duckdb.DuckDBPyConnection, option: str, text: str | None, as_of: datetime) -> timedelta | None:
    """An interval as the exact time before as_of that it covers: a month has the days it had."""
    if text is None:
        return None
    length: timedelta = _value(cursor, option, "SELECT $2::TIMESTAMP - ($2::TIMESTAMP - $1::INTERVAL)", text, as_of)
    if length <= timedelta(0):
        raise OptionError(f"Option {option} = {text} must be longer than nothing.")
    return length


def _value(cursor: duckdb.DuckDBPyConnection, option: str, query: str, *parameters: object):  # type: ignore[no-untyped-def]  # noqa: ANN202
    try:
        return cursor.execute(query, list(parameters)).fetchall()[0][0]
    except duckdb.Error as error:
        reason = str(error).partition("\n")[0]
        raise OptionError(f"Option {option} = {parameters[0]!r} cannot be read: {reason}") from error


def _require_event_type(cursor: duckdb.DuckDBPyConnection, relations: Behavior, event_type: str) -> None:
    if not relations.has("event_type"):
        raise DataError("Option active_event needs a column event_type in behavior.events.")
    query = "SELECT DISTINCT event_type::VARCHAR FROM behavior.events WHERE event_type IS NOT NULL ORDER BY 1"
    types = [name for (name,) in cursor.execute(query).fetchall()]
    if event_type not in types:
        raise OptionError(
            f"Option active_event = '{event_type}': no event has this type. Types: {', '.join(types[:100])}."
        )


def _warnings(
    calendar: cutoffs.Calendar, tested: str, chosen: BehaviorOptions, as_of: datetime, known: Facts
) -> list[str]:
    found = []
    if calendar.is_short:
        found.append(
            f"The data are too short for a full horizon of {cutoffs.days(calendar.horizon)}: trained on a window of "
            f"{cutoffs.days(calendar.window)} and carried to the horizon by a Weibull hazard whose shape was measured "
            "between half the window and all of it."
        )
    if tested == "by customers":
        found.append(
            "Not tested in time: the data are too short to rehearse. The metrics are of held-out customers at the "
            f"newest cut-off over {cutoffs.days(calendar.window)}; expect worse on a window still to come."
        )
    if chosen.as_of is not None and as_of > known.newest_event:
        found.append(f"as_of {as_of} is later than the newest event ({known.newest_event}).")
    return found
