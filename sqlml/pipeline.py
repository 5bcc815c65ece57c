"""A model from statement to catalogue, and from catalogue to forward pass."""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from importlib.metadata import version as package_version
from typing import cast

import duckdb
import jax
import jax.numpy as jnp
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sqlml import (
    behavior,
    cutoffs,
    evaluation,
    explanation,
    interruption,
    leaks,
    lifecycle,
    lifetime,
    losses,
    macros,
    options,
    planning,
    queries,
    recommendations,
    recommender,
    rehearsal,
    search,
    segments,
    tabular,
)
from sqlml.behavior import Facts
from sqlml.catalog import MAP_INPUTS, MAP_SEGMENTS, SILENCE, Catalog, Gate, NewVersion, Version, internal_macros
from sqlml.conformal import Conformal
from sqlml.encoding import Dropped
from sqlml.errors import ModelError, OptionError
from sqlml.lifecycle import Expected, Workplace
from sqlml.methods import bgnbd
from sqlml.methods.base import Forward as MethodForward
from sqlml.methods.base import State, Weights, part
from sqlml.options import BehaviorOptions, ModelOptions, QueryOptions
from sqlml.planning import Plan
from sqlml.queries import KEY, ROW, STRUCT
from sqlml.reading import Reading
from sqlml.rehearsal import Run, Tested
from sqlml.search import Trial
from sqlml.tabular import Learned
from sqlml.tasks import METHODS, QUERY_TASKS, RECOMMEND, SEGMENT, TASKS, Task, require_used
from sqlml.training import Stage, Watch, forget_compiled
from sqlml.transforms import Calibration, Column, Encoder, Target
from sqlml.udf import BUCKETS, Answer, Forward

CALIBRATION, BACKGROUND = "calibration", "background"
WITH_GAPS = {BACKGROUND, MAP_INPUTS}
"""Stored rows of inputs, in which what is missing is NaN."""
TIMED_BATCHES = 10
FEW_CUSTOMERS = 50
"""Below this many the record warns."""
PACKAGES = ("sqlml", "duckdb", "jax", "flax", "optax", "numpy", "scipy")


def create_behavior_model(place: Workplace, name: str, values: Mapping[str, object], expected: Expected) -> Version:
    """Train a behaviour model, rehearse it, store and promote it, register its functions.

    Args:
        place: Where it runs.
        name: The model.
        values: Options that differ from their defaults.
        expected: What must hold of the name; with a gate, the recipe of the version before must not be better in the
            rehearsal, or the new version is not promoted.

    Raises:
        SqlmlError: Anything that keeps the model from being made; nothing has then been written.
    """
    started, rival = time.monotonic(), expected.rival
    chosen = options.make(BehaviorOptions, values)
    planning.require_meant(name, values)
    store = Catalog(place.cursor, place.database)
    task = planning.require_learnable(chosen)
    if task is not None:
        require_used(chosen, values, task)
    _require_free(place, store, name, task, expected)
    if task is RECOMMEND:
        return _create_recommender(place, store, name, chosen, expected)
    with store.snapshot(), place.progress(f"Training {name}") as stage:
        plan = planning.of(place.cursor, chosen)
        recipe, calendar = plan.recipe, plan.calendar
        require_used(chosen, values, recipe.task)
        fingerprint = _fingerprint(place.cursor, plan.known)
        if rival is not None and _is_unchanged(store, rival, chosen, fingerprint):
            return rival
        _require_free(place, store, name, recipe.task, expected)
        before = _test(place.cursor, _rival(place.cursor, rival, plan), stage) if rival else None
        tested = _test(place.cursor, plan, stage)
        plan = dataclasses.replace(plan, recipe=dataclasses.replace(recipe, options=tested.options))
        recipe, so_far = plan.recipe, _numbers_so_far(store, name, plan)
        trained = rehearsal.final(place.cursor, recipe, calendar, stage, so_far)
    encoder, segmented = trained.encoder, trained.segmented
    read = {f"customer.{attribute}": each for attribute, each in plan.readings.items()}
    timeless = [Dropped(f"customer.{c}", "an attribute without time, not named in attributes") for c in plan.left_out]
    new = NewVersion(
        model=name,
        task=recipe.task.name,
        trained_until=calendar.as_of,
        horizon=calendar.horizon,
        label_window=calendar.window,
        lookback=calendar.lookback,
        tested="in time" if plan.rehearsal else "by customers",
        options=recipe.options,
        key_type=recipe.source.frame.behavior.events["customer_id"],
        encoder=encoder,
        input_sql=macros.feature_sql(recipe.source.frame, encoder).at_moment,
        packages={package: package_version(package) for package in PACKAGES},
        fingerprint=fingerprint,
        seconds=time.monotonic() - started,
        comparison=tested.comparison,
        leaks=leaks.record(trained.leaks),
        weights={
            **_weights(trained.state, trained.calibration),
            BACKGROUND: trained.background,
            **(segmented.drawn if segmented else {}),
        },
        cutoffs=[(c.purpose, c.as_of, c.n_rows, c.base_rate) for c in (*tested.cutoffs, *trained.cutoffs)],
        features=_features(encoder, [*trained.dropped, *timeless], read),
        importance=[(i.feature, i.importance, i.deviation) for i in tested.importance],
        gate=_gate(rival, before, tested, tested.target),
        warnings=[*tested.warnings, *_warnings(plan, trained), *segments.note(tested.trials)],
        training_log=trained.state.log,
        functions=recipe.task.named(name),
        trials=_trials(tested.trials),
        segments=segmented.rows if segmented else (),
        profiles=segmented.profiles if segmented else (),
        moves=trained.moves,
    )
    statements = list(macros.of_behavior(new, recipe.source.frame, _conformal(plan, tested, trained, new)))
    return _publish(place, store, new, statements, expected)


def _create_recommender(
    place: Workplace, store: Catalog, name: str, chosen: BehaviorOptions, expected: Expected
) -> Version:
    started = time.monotonic()
    if expected.is_gated:
        raise OptionError(
            "A recommender is tested on the next step of customers, and has no gate. Retrain without gate."
        )
    with store.snapshot(), place.progress(f"Training {name}") as stage:
        source = recommendations.frame(place.cursor, chosen)
        known = behavior.facts(place.cursor)
        fingerprint = _fingerprint(place.cursor, known)
        as_of = planning.moment(place.cursor, known, chosen)
        learned = recommendations.learn(place.cursor, source, chosen, as_of, stage)
    (column,) = learned.encoder.columns
    new = NewVersion(
        model=name,
        task=RECOMMEND.name,
        trained_until=as_of,
        tested="on the last step",
        options=learned.options,
        key_type=source.behavior.events["customer_id"],
        encoder=learned.encoder,
        input_sql=macros.feature_sql(source, learned.encoder).at_moment,
        packages={package: package_version(package) for package in PACKAGES},
        fingerprint=fingerprint,
        seconds=time.monotonic() - started,
        weights=learned.weights,
        features=[(column.source, True, f"{len(column.levels):,} items")],
        trials=_trials(learned.trials),
        warnings=(),
        training_log=(),
        functions=RECOMMEND.named(name),
    )
    statements = list(macros.of_recommender(new, source, chosen.candidates))
    return _publish(place, store, new, statements, expected)


def _fingerprint(cursor: duckdb.DuckDBPyConnection, known: Facts) -> dict[str, object]:
    """What the behaviour tables hold."""
    return {**vars(known), SILENCE: behavior.silence(cursor), **behavior.checksums(cursor, behavior.read(cursor))}


def _is_unchanged(store: Catalog, version: Version, chosen: ModelOptions, fingerprint: Mapping[str, object]) -> bool:
    """Whether a version was trained with these options on these very data: there is nothing to compare it with."""
    stored = store.fingerprint(version.version_id)
    now, then = ({k: v for k, v in each.items() if k.endswith("checksum")} for each in (fingerprint, stored))
    return version.options == chosen and now == then


def _numbers_so_far(store: Catalog, name: str, plan: Plan) -> str | None:
    """A query for the segments that the promoted version gives customers, so that a segment keeps its number."""
    if plan.recipe.task is not SEGMENT or name not in store.models() or plan.recipe.options.method == "rfm":
        return None
    version = store.version(name)
    if version.task != SEGMENT.name or version.query is not None or version.method == "rfm":
        return None
    internal = internal_macros(version.version_id)
    moment = f"TIMESTAMP '{plan.calendar.as_of}'"
    return f"""SELECT {KEY} AS key, ml.{internal["answers"]}({STRUCT}) AS number
               FROM ml.{internal["features"]}({moment})"""


def _trials(found: Sequence[Trial]) -> list[tuple[int, str, float, float, bool]]:
    return [(t.number, json.dumps(t.options), t.loss, t.seconds, t.is_chosen) for t in found]


def _conformal(plan: Plan, tested: Tested, trained: Run, new: NewVersion) -> Conformal | None:
    """That of the test, carried to the horizon where its window was shorter, and discounted like the answers."""
    found, calendar, power = tested.conformal, plan.calendar, trained.calibration.power
    if found is None:
        return None
    is_spend = trained.encoder.target.kind == "spend"
    if plan.rehearsal is None:
        found = found.carried((calendar.horizon / calendar.window) ** power if is_spend else power)
    if is_spend and plan.recipe.options.discount:
        rows = np.asarray(new.weights[BACKGROUND]).T
        worth, curve = (compiled(new.weights, new.encoder, new.options, asked)(rows) for asked in ("answers", "curve"))
        found = found.carried(float(worth.sum() / curve[:, :, lifetime.PARTS.index("spend")].sum()))
    return found


def _require_free(place: Workplace, store: Catalog, name: str, task: Task | None, expected: Expected) -> None:
    """Check the names that a model of the task would take; where it is not known yet, that of the model."""
    functions = [function for _, function, _ in task.named(name)] if task else []
    lifecycle.require_free(place.cursor, store, name, functions, expected)


def require_learnable(place: Workplace, name: str, values: Mapping[str, object], expected: Expected) -> None:
    """Check what can be checked of a query model before its query runs.

    Raises:
        SqlmlError: An option is wrong, or a name is taken.
    """
    recipes = search.plan(values)
    task = tabular.require_learnable(recipes)
    if task is not None:
        require_used(recipes[0], values, task, [recipe.method for recipe in recipes])
    _require_free(place, Catalog(place.cursor, place.database), name, task, expected)


def create_query_model(
    place: Workplace,
    name: str,
    values: Mapping[str, object],
    query: str,
    rows: pa.RecordBatchReader,
    expected: Expected,
) -> Version:
    """Train a model on the rows of a query, test it on rows held out, store and promote it, register its functions.

    Args:
        place: Where it runs.
        name: The model.
        values: Options that differ from their defaults.
        query: The text that gives the rows, for the record.
        rows: A reader of the rows, a column of them the label.
        expected: What must hold of the name; with a gate, the recipe of the version before must not be better on the
            held-out rows, or the new version is not promoted.

    Raises:
        SqlmlError: Anything that keeps the model from being made; nothing has then been written.
    """
    started, rival = time.monotonic(), expected.rival
    recipes = search.plan(values)
    asked = recipes[0]
    budget = planning.interval(place.cursor, "budget", asked.budget, datetime.now())
    store = Catalog(place.cursor, place.database)
    types = tabular.load(place.cursor, rows)
    if asked.task == SEGMENT.name:
        return _create_row_segments(place, store, name, asked, values, types, query, expected)
    target = tabular.target_of(place.cursor, types, asked)
    checksum = queries.checksum(place.cursor, tabular.ROWS)
    if rival is not None and len(recipes) == 1 and _is_unchanged(store, rival, asked, {"checksum": checksum}):
        return rival
    given, drawn = tabular.draw(place.cursor, types, asked, target)
    task = QUERY_TASKS[target.kind]
    require_used(asked, values, task, [recipe.method for recipe in recipes])
    _require_free(place, store, name, task, expected)
    with place.progress(f"Training {name}") as stage:
        seconds = budget.total_seconds() if budget else math.inf
        before = tabular.learn(place.cursor, types, target, [_like(rival, asked)], seconds, stage) if rival else None
        learned = tabular.learn(place.cursor, types, target, recipes, seconds, stage)
    old, same = tabular.on_common_rows(before, learned) if before else (None, learned)
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
        fingerprint={**given, "rows_learnt_from": learned.n_rows, "checksum": checksum, "schema": place.schema},
        seconds=time.monotonic() - started,
        weights=weights,
        features=_features(learned.encoder, learned.dropped, learned.readings),
        importance=[(i.feature, i.importance, i.deviation) for i in learned.importance],
        gate=_gate(rival, old, same, target),
        trials=_trials(learned.trials),
        warnings=[*drawn, *learned.warnings],
        comparison=learned.comparison,
        leaks=leaks.record(learned.leaks),
        training_log=learned.log,
        functions=task.named(name),
    )
    statements = macros.of_query(new, task, chosen, types[str(chosen.label)], learned.calibration, learned.conformal)
    return _publish(place, store, new, list(statements), expected)


def _create_row_segments(
    place: Workplace,
    store: Catalog,
    name: str,
    asked: QueryOptions,
    values: Mapping[str, object],
    types: Mapping[str, str],
    query: str,
    expected: Expected,
) -> Version:
    started, task = time.monotonic(), QUERY_TASKS["segment"]
    if expected.is_gated:
        raise OptionError("Segments of rows have no later to be judged by, and so no gate. Retrain without gate.")
    require_used(asked, values, task)
    given, drawn = tabular.draw(place.cursor, types, asked)
    with place.progress(f"Training {name}") as stage:
        so_far = _row_numbers_so_far(store, name)
        learned = tabular.learn_segments(place.cursor, types, asked, so_far, stage)
    found = learned.found
    new = NewVersion(
        model=name,
        task=task.name,
        tested="by resampling",
        options=learned.options,
        key_type=types.get(str(asked.key)),
        query=query,
        encoder=found.encoder,
        input_sql=macros.fields(found.encoder),
        packages={package: package_version(package) for package in PACKAGES},
        fingerprint={**given, "schema": place.schema},
        seconds=time.monotonic() - started,
        weights={**_weights(found.state, Calibration()), BACKGROUND: found.background, **found.drawn},
        features=_features(found.encoder, learned.dropped, learned.readings),
        trials=_trials(learned.trials),
        warnings=[*drawn, *learned.warnings],
        training_log=(),
        functions=task.named(name),
        segments=found.rows,
        profiles=found.profiles,
    )
    return _publish(place, store, new, list(macros.of_row_segments(new)), expected)


def _row_numbers_so_far(store: Catalog, name: str) -> str | None:
    version = store.version(name) if name in store.models() else None
    if version is None or version.task != SEGMENT.name or version.query is None:
        return None
    return f"ml.{internal_macros(version.version_id)['answers']}({ROW})"


def retrain(
    place: Workplace, version: Version, values: Mapping[str, object], rows: pa.RecordBatchReader | None
) -> Version:
    """Run the recipe of a version again, on what the data are now; some options may change.

    Args:
        place: Where it runs.
        version: The promoted one of its model.
        values: Options that change; `gate`: promote the new version only where it is not worse.
        rows: Of a query model: what its query gives now.

    Returns:
        The new version; with a gate, the same one where neither options nor data have changed.
    """
    name, changed = version.model, dict(values)
    expected = Expected(again=version, is_gated=options.flag("gate", changed.pop("gate", False)))
    recipe = recipe_of(version, changed)
    if rows is None:
        return create_behavior_model(place, name, recipe, expected)
    return create_query_model(place, name, recipe, str(version.query), rows, expected)


def recipe_of(version: Version, changed: Mapping[str, object]) -> dict[str, object]:
    """The options to train a version again, some of them changed; a behaviour model may know what has happened since.

    An earlier release stored options that the method does not use: they are left out.
    """
    kind, task = type(version.options), next(t for t in TASKS if t.name == version.task)
    idle = options.unused(kind, task.name, task.tried(str(changed.get("method", version.method))))
    kept = {name: value for name, value in vars(version.options).items() if name not in idle}
    if version.query is None:
        kept["as_of"] = None
    return {**kept, **changed}


def backtest(place: Workplace, name: str, start: str, end: str, every: str) -> Version:
    """Run the recipe of a behaviour model at each cut-off, test it on the window after, store the metrics.

    Args:
        place: Where it runs.
        name: The model; its promoted version has the recipe.
        start: The first cut-off, in DuckDB's text form.
        end: No cut-off lies after it.
        every: The distance between cut-offs.

    Raises:
        OptionError: There is no cut-off whose horizon is over, or the times cannot be read.
        DataError: The history before a cut-off is too short.
    """
    store = Catalog(place.cursor, place.database)
    lifecycle.require_writable(place.cursor)
    lifecycle.require_unhidden(place.cursor, place.database)
    version = store.version(name)
    if not isinstance(version.options, BehaviorOptions):
        raise ModelError(
            f"BACKTEST needs a model of customers and time; '{name}' is one of rows: EVALUATE MODEL {name} ON query."
        )
    if version.task == RECOMMEND.name:
        raise ModelError(
            f"'{name}' recommends and is tested on the next step of every customer: EVALUATE MODEL {name}."
        )
    found = []
    with store.snapshot(), place.progress(f"Back-testing {name}") as stage:
        plan = planning.of(place.cursor, planning.without_as_of(version.options))
        moments = planning.moments(place.cursor, plan, start, end, every)
        calendars = [plan.at(moment) for moment in moments]
        for i, calendar in enumerate(calendars, 1):
            title = f"cut-off {i} of {len(moments)}, "
            rehearsal.in_time(
                place.cursor, plan.recipe, calendar, calendar.as_of, calendar.as_of + calendar.horizon,
                partial(_titled, stage, title),
            )  # fmt: skip
            found += [(calendar.as_of, *row) for row in store.metrics()]
    with store.transaction():
        store.add_backtest(version.version_id, found)
    return version


def _titled(stage: Stage, title: str, name: str) -> Watch:
    return stage(title + name)


def load_forward(cursor: duckdb.DuckDBPyConnection, version: Version, asked: str) -> Forward | Answer:
    """The compiled forward pass of a stored version: inputs (columns, rows) → answers, or the effects of its columns.

    Of a recommender: a function of Arrow arrays.

    Raises:
        CatalogError: The weights are missing or damaged.
    """
    load = partial(Catalog(cursor, version.database).weights, version.version_id)
    if version.encoder.target.kind == "items":
        return recommender.answers(version.version_id, load, version.encoder.columns[0].levels, asked)
    return compiled(load(), version.encoder, version.options, asked)


def compiled(stored: Mapping[str, NDArray[np.float32]], encoder: Encoder, chosen: ModelOptions, asked: str) -> Forward:
    """The compiled forward pass of stored weights: inputs (columns, rows) → what is asked."""
    weights = dict(stored)
    calibrated = part(weights, CALIBRATION)
    slope, offset = (tuple(calibrated[name].tolist()) for name in ("slope", "offset"))
    calibration = Calibration(slope, offset, calibrated["power"].item())
    background = weights.pop(BACKGROUND, np.zeros((0, 0), np.float32))
    for drawn in (MAP_INPUTS, MAP_SEGMENTS):
        weights.pop(drawn, None)
    forward = METHODS[chosen.method].forward(encoder, chosen)
    on_device = jax.device_put(weights)

    def answers(weights: Weights, inputs: jax.Array) -> jax.Array:
        return losses.answers(forward(weights, inputs.T), encoder.target, calibration)

    def periods(weights: Weights, inputs: jax.Array) -> jax.Array:
        link = losses.blend(forward(weights, inputs.T), jnp.asarray(slope), jnp.asarray(offset))
        return lifetime.periods(link, weights, inputs.T, encoder)

    def effects(weights: Weights, inputs: jax.Array) -> jax.Array:
        unit = encoder.target.scale if encoder.target.kind == "value" else 1.0
        output = partial(_main_output, forward, weights, calibration, encoder.target, unit, inputs.T)
        return explanation.effects(output, encoder, background)(inputs.T)

    if encoder.target.kind == "spend" and asked != "effects":
        run = jax.jit(periods)
        finish = partial(lifetime.value, target=encoder.target) if asked == "answers" else np.asarray
        return lambda inputs: finish(np.asarray(run(on_device, inputs), np.float64))
    run = jax.jit(effects if asked == "effects" else answers)
    return lambda inputs: np.asarray(run(on_device, inputs))


def _main_output(
    forward: MethodForward,
    weights: Weights,
    calibration: Calibration,
    target: Target,
    unit: float,
    rows: jax.Array,
    mixed: jax.Array,
) -> jax.Array:
    """The calibrated output that an explanation is of: for several classes, that of the class predicted for `rows`.

    In log-odds, in the logarithm of an amount, or in the `unit` of a value.
    """
    slope, offset = jnp.asarray(calibration.slope), jnp.asarray(calibration.offset)
    outputs, own = (
        losses.main(losses.carried(losses.blend(forward(weights, x), slope, offset), target, calibration), target)
        for x in (mixed, rows)
    )
    return unit * jnp.take_along_axis(outputs, own.argmax(1)[:, None], 1)[:, 0]


def _test(cursor: duckdb.DuckDBPyConnection, plan: Plan, stage: Stage) -> Tested:
    """The rehearsal, or where the data are too short for one, a test by customers."""
    earlier = plan.rehearsal
    if earlier is None:
        return rehearsal.by_customers(cursor, plan.recipe, plan.calendar, stage)
    return rehearsal.in_time(cursor, plan.recipe, earlier, earlier.as_of, plan.calendar.as_of, stage)


def _rival(cursor: duckdb.DuckDBPyConnection, rival: Version, plan: Plan) -> Plan:
    """The recipe of the rival, with the same knowledge.

    Raises:
        OptionError: It predicts something else.
    """
    new = plan.recipe.options
    old = dataclasses.replace(cast("BehaviorOptions", rival.options), as_of=new.as_of)
    _require_same(
        old, new, ("task", "predict", "population", "active_event", "active_within", "horizon", "max_examples")
    )
    found = planning.of(cursor, old)
    source = dataclasses.replace(found.recipe.source, share=plan.recipe.source.share)  # the same customers are drawn
    return dataclasses.replace(found, recipe=dataclasses.replace(found.recipe, source=source))


def _like(rival: Version, new: QueryOptions) -> QueryOptions:
    """The recipe of the rival, on the same held-out rows.

    Raises:
        OptionError: It predicts something else.
    """
    _require_same(rival.options, new, ("label", "positive", "task", "max_examples"))
    held_out = {name: getattr(new, name) for name in ("split", "split_column", "test_fraction", "seed", "key")}
    return dataclasses.replace(cast("QueryOptions", rival.options), **held_out)


def _require_same(old: ModelOptions, new: ModelOptions, names: Sequence[str]) -> None:
    if differing := [name for name in names if getattr(old, name) != getattr(new, name)]:
        raise OptionError(
            f"A gate compares two recipes of one target; option {differing[0]} would change from "
            f"{getattr(old, differing[0])!r} to {getattr(new, differing[0])!r}. Retrain without gate."
        )


def _gate(rival: Version | None, old: Tested | Learned | None, new: Tested | Learned, target: Target) -> Gate | None:
    """The new recipe may be worse by no more than chance, and by at most 2 %."""
    if rival is None or old is None:
        return None
    metric, before = evaluation.answer_losses(old.answers, old.labels, target)
    _, after = evaluation.answer_losses(new.answers, new.labels, target)
    figures = [float(each.mean()) ** (0.5 if metric == "rmse" else 1) for each in (before, after)]
    return Gate(rival.version_id, metric, figures[0], figures[1], search.is_level(after, before))


def _publish(
    place: Workplace, store: Catalog, new: NewVersion, statements: Sequence[str], expected: Expected
) -> Version:
    """Names are checked once more: a training is long enough for others to take them."""
    interruption.check()
    forget_compiled()
    if BACKGROUND in new.weights:
        new = dataclasses.replace(new, rows_per_second=_rows_per_second(new))
    names = [function for _, function, _ in new.functions]
    with lifecycle.storing(place, store, new.as_version(0, place.database)):
        lifecycle.require_free(place.cursor, store, new.model, names, expected)
        version = store.insert(new, statements)
        store.prune(store.version(new.model), new.options.versions_kept)
    return version


def _rows_per_second(new: NewVersion) -> float:
    """How fast the compiled forward pass answers batches as DuckDB gives them."""
    forward = compiled(new.weights, new.encoder, new.options, "answers")
    rows = np.asarray(new.weights[BACKGROUND])
    batch = np.ascontiguousarray(np.resize(rows, (BUCKETS[-1], rows.shape[1])).T)
    forward(batch)
    started = time.monotonic()
    for _ in range(TIMED_BATCHES):
        forward(batch)
    return TIMED_BATCHES * BUCKETS[-1] / (time.monotonic() - started)


def _weights(state: State, calibration: Calibration) -> dict[str, NDArray[np.float32]]:
    stored = {f"{CALIBRATION}.{name}": np.asarray(value, np.float32) for name, value in vars(calibration).items()}
    return {**state.weights, **stored}


def _features(
    encoder: Encoder, dropped: Sequence[Dropped], readings: Mapping[str, Reading]
) -> list[tuple[str, bool, str]]:
    used = [(c.name, True, _encoding(c) + (f", text read as {readings[c.source].how}" if c.source in readings else ""))
            for c in encoder.columns]  # fmt: skip
    return [*used, *((d.column, False, d.reason) for d in dropped)]


def _encoding(column: Column) -> str:
    if column.is_flag:
        return "yes or no"
    return f"{len(column.levels)} levels" if column.is_category else f"{len(column.edges) - 1} bins"


def _warnings(plan: Plan, trained: Run) -> list[str]:
    found, calendar, share = [*plan.warnings], plan.calendar, plan.recipe.source.share
    if share < 1:
        found.append(
            f"Learnt from {share:.1%} of all customers, drawn by chance: {plan.known.n_customers:,} customers at "
            f"{len(calendar.cutoffs)} cut-offs are more than max_examples = {plan.recipe.options.max_examples:,}."
        )
    if plan.known.n_customers < FEW_CUSTOMERS:
        found.append(
            f"Learnt from {plan.known.n_customers:,} customers at {len(calendar.cutoffs)} cut-offs: examples of one "
            "customer resemble each other, so the metrics are less certain than their number of rows suggests."
        )
    if trained.encoder.target.kind == "spend":
        found += _warnings_of_spend(plan, trained)
    elif calendar.is_short and trained.segmented is None:
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


def _warnings_of_spend(plan: Plan, trained: Run) -> list[str]:
    found, calendar, closed = [], plan.calendar, part(trained.state.weights, bgnbd.CLOSED)
    if calendar.is_short:
        found.append(
            f"The data are too short for a full horizon of {cutoffs.days(calendar.horizon)}: learnt from windows of up "
            f"to {cutoffs.days(calendar.window)}, from which orders and spend grow as time to the power of "
            f"{trained.calibration.power:.2f}."
        )
    stops = float(closed["a"] / (closed["a"] + closed["b"]))
    if stops < bgnbd.NO_DROPOUT:
        found.append(
            "No customer is seen to stop buying: BG/NBD then expects everybody to go on as before, and P(still buying) "
            "of the curve says nothing."
        )
    return found
