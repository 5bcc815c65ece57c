"""A model from statement to catalogue, and from catalogue to forward pass."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from importlib.metadata import version as package_version

import duckdb
import jax
import jax.numpy as jnp
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sqlml import cutoffs, explanation, lifecycle, losses, macros, options, planning, rehearsal, search, tabular
from sqlml.catalog import Catalog, NewVersion, Version
from sqlml.encoding import Dropped
from sqlml.lifecycle import Workplace
from sqlml.methods.base import Forward as MethodForward
from sqlml.methods.base import State, Weights, part
from sqlml.options import BehaviorOptions
from sqlml.planning import Plan
from sqlml.rehearsal import Tested
from sqlml.tasks import METHODS, QUERY_TASKS, require_method
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
    store = Catalog(place.cursor, place.database)
    plan = planning.of(place.cursor, chosen)
    recipe, calendar = plan.recipe, plan.calendar
    functions = recipe.task.named(name)
    lifecycle.require_free(place.cursor, store, name, [f for _, f, _ in functions], is_replace=is_replace)
    with place.progress(f"Training {name}") as stage:
        tested = _test(place.cursor, plan, stage)
        trained = rehearsal.final(place.cursor, recipe, calendar, stage)
    encoder = trained.fitted.encoder
    timeless = [Dropped(f"customer.{c}", "an attribute without time, not named in attributes") for c in plan.left_out]
    new = NewVersion(
        model=name,
        task=recipe.task.name,
        trained_until=calendar.as_of,
        horizon=calendar.horizon,
        label_window=calendar.window,
        lookback=calendar.lookback,
        tested="in time" if plan.rehearsal else "by customers",
        options=chosen,
        key_type=recipe.source.frame.behavior.events["customer_id"],
        encoder=encoder,
        input_sql=macros.feature_sql(recipe.source.frame, encoder)[0],
        packages={package: package_version(package) for package in PACKAGES},
        fingerprint={**vars(plan.known)},
        seconds=time.monotonic() - started,
        weights={**_weights(trained.fitted.state, trained.fitted.calibration), BACKGROUND: trained.background},
        cutoffs=[(c.purpose, c.as_of, c.n_rows, c.base_rate) for c in (*tested.cutoffs, *trained.cutoffs)],
        features=_features(encoder, [*trained.dropped, *timeless]),
        importance=[(i.feature, i.importance, i.deviation) for i in tested.importance],
        warnings=_warnings(plan),
        training_log=trained.fitted.state.log,
        functions=functions,
    )
    return _publish(place, store, new, macros.of_behavior(new, recipe.source.frame, tested.conformal))


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
    budget = planning.interval(place.cursor, "budget", asked.budget, datetime.now())
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


def _test(cursor: duckdb.DuckDBPyConnection, plan: Plan, stage: Stage) -> Tested:
    """The rehearsal, or where the data are too short for one, a test by customers."""
    earlier = plan.rehearsal
    if earlier is None:
        return rehearsal.by_customers(cursor, plan.recipe, plan.calendar, stage)
    return rehearsal.in_time(cursor, plan.recipe, earlier, earlier.as_of, plan.calendar.as_of, stage)


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


def _warnings(plan: Plan) -> list[str]:
    found, calendar = [], plan.calendar
    if calendar.is_short:
        how = "a Weibull hazard" if plan.recipe.source.label.is_binary else "a power of time"
        found.append(
            f"The data are too short for a full horizon of {cutoffs.days(calendar.horizon)}: trained on a window of "
            f"{cutoffs.days(calendar.window)} and carried to the horizon by {how} whose shape was measured "
            "between half the window and all of it."
        )
    if plan.rehearsal is None:
        found.append(
            "Not tested in time: the data are too short to rehearse. The metrics are of held-out customers at the "
            f"newest cut-off over {cutoffs.days(calendar.window)}; expect worse on a window still to come."
        )
    if plan.recipe.options.as_of is not None and calendar.as_of > plan.known.newest_event:
        found.append(f"as_of {calendar.as_of} is later than the newest event ({plan.known.newest_event}).")
    return found
