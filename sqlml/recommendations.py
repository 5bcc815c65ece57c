"""Recommendations in the database: reads histories, rehearses what was chosen, makes what is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import duckdb
import numpy as np
import pyarrow as pa
import scipy
from numpy.typing import NDArray

from sqlml import behavior, evaluation, queries, ranking, targets
from sqlml.errors import DataError, OptionError, first_line
from sqlml.evaluation import HeldOut
from sqlml.logs import Log
from sqlml.methods.base import Weights
from sqlml.options import BehaviorOptions
from sqlml.queries import Behavior, Frame, identifier, literal
from sqlml.ranking import Blend
from sqlml.search import Trial
from sqlml.tasks import RECOMMEND
from sqlml.training import Stage
from sqlml.transforms import Column, Encoder, Target

LEAST_CUSTOMERS, LEAST_ITEMS = 50, 2
MOST_TESTED = 10_000
MOST_ALIKE = 2_000
"""A word that is said of more items tells them apart too little."""
UNSAYING = ("DATE", "TIME", "BLOB", "GEOMETRY")
"""Types of columns whose values say nothing of an item."""


@dataclass(frozen=True)
class Learned:
    """A recommender as it is kept, and what was found on the way; the metrics are left in `sqlml_metrics`."""

    weights: dict[str, NDArray[np.float32]]
    encoder: Encoder
    options: BehaviorOptions
    trials: Sequence[Trial]


def frame(cursor: duckdb.DuckDBPyConnection, chosen: BehaviorOptions) -> Frame:
    """Where histories come from.

    Raises:
        DataError: Events have no items, or no types that could have weights.
        OptionError: A condition cannot be computed.
    """
    relations = behavior.read(cursor)
    behavior.require_sound(cursor, relations)
    if not relations.has("item_id"):
        raise DataError("Task recommend needs a column item_id in behavior.events.")
    if chosen.population is not None:
        targets.require_population(cursor, relations, chosen.population)
    if chosen.candidates is not None:
        _require_candidates(cursor, relations, chosen.candidates)
    for name, _ in chosen.event_weights:
        behavior.require_event_type(cursor, relations, name, "event_weights of")
    return Frame(relations, (), chosen.population or "true", folder="histories", weight=_weight(chosen))


def _require_candidates(cursor: duckdb.DuckDBPyConnection, relations: Behavior, condition: str) -> None:
    if not relations.items:
        raise DataError("Option candidates is a condition on behavior.items, which is not there.")
    targets.parts(cursor, condition, "Option candidates =")
    try:
        kind = cursor.execute(f"DESCRIBE SELECT ({condition}\n) FROM behavior.items").fetchall()[0][1]
        cursor.execute(f"DESCRIBE FROM behavior.items WHERE ({condition}\n)").fetchall()  # no aggregate
    except duckdb.Error as error:
        listed = f"Columns: {', '.join(relations.items)}."
        raise OptionError(
            f"Option candidates = {condition}: {first_line(error)}. It is a condition such as price < 50. {listed}"
        ) from error
    if kind != "BOOLEAN":
        raise OptionError(f"Option candidates = {condition} is {kind}: a condition such as price < 50 is expected.")


def _weight(chosen: BehaviorOptions) -> str:
    """What an event counts, as SQL."""
    if not chosen.event_weights:
        return "1"
    cases = " ".join(f"WHEN {literal(name)} THEN {weight!r}" for name, weight in chosen.event_weights)
    return f"CASE event_type::VARCHAR {cases} ELSE 1 END"


def learn(
    cursor: duckdb.DuckDBPyConnection, source: Frame, chosen: BehaviorOptions, as_of: datetime, stage: Stage
) -> Learned:
    """Choose on the last step but one, test on the last, and fit what was chosen to all.

    Raises:
        DataError: There are too few customers or items, or no next step.
    """
    log, items = read(cursor, source, as_of)
    if len(log) < LEAST_CUSTOMERS or len(items) < LEAST_ITEMS:
        raise DataError(
            f"Customers with items by {as_of}: {len(log):,}, items: {len(items):,}; "
            f"{LEAST_CUSTOMERS} customers and {LEAST_ITEMS} items are the least."
        )
    past, last = log.without_last()
    blend, begun, trials = ranking.choose(past, chosen, RECOMMEND.methods[1:], stage)
    method = "blend" if len(blend.shares) > 1 else next(iter(blend.shares))
    recipe = replace(chosen, method=method, repeat=str(blend.is_repeat).lower())
    _test(cursor, past, last, recipe, blend, begun, stage)
    weights = ranking.fit(log, recipe, blend, begun, stage)
    column = Column("events", "item_id", "events", levels=items)
    return Learned(weights, Encoder((column,), Target("items")), recipe, trials)


def read(cursor: duckdb.DuckDBPyConnection, source: Frame, as_of: datetime) -> tuple[Log, tuple[str, ...]]:
    """The histories of all customers by `as_of`, and the items in the order of their codes."""
    asked = f"SELECT DISTINCT customer_id, {literal(str(as_of))}::TIMESTAMP AS as_of FROM behavior.events WHERE customer_id IS NOT NULL"  # noqa: E501
    histories = queries.features_of(source, asked, "SELECT customer_id, events")
    cursor.execute(queries.text("recommend/histories", histories=histories)).fetchall()
    relations = source.behavior
    others = f"UNION SELECT {queries.item_text(relations)} FROM behavior.items" if relations.items else ""
    cursor.execute(queries.text("recommend/items", others=others)).fetchall()
    items = tuple(item for (item,) in cursor.execute("SELECT item FROM temp.sqlml_items ORDER BY code").fetchall())
    found = cursor.execute(queries.text("recommend/log")).fetchnumpy()
    starts = np.searchsorted(found["customer"], np.arange(found["customer"].max(initial=-1) + 2))
    words = _words(cursor, relations, len(items))
    cursor.execute("DROP TABLE temp.sqlml_histories; DROP TABLE temp.sqlml_items").fetchall()
    return Log(starts, found["item"], found["weight"], found["age"], len(items), words), items


def _words(cursor: duckdb.DuckDBPyConnection, relations: Behavior, n_items: int) -> scipy.sparse.csr_array | None:
    """What behavior.items says, as `Log.words`: an amount by the tenth it is in, all else word by word."""
    fields = []
    for name, kind in relations.items.items():
        text = f"{identifier(name)}::VARCHAR"
        if kind in ("FLOAT", "DOUBLE") or kind.startswith("DECIMAL"):
            tenth = f"ntile(10) OVER (PARTITION BY {identifier(name)} IS NULL ORDER BY {identifier(name)})"
            text = f"CASE WHEN {identifier(name)} IS NOT NULL THEN {tenth} END::VARCHAR"
        if name != "item_id" and not kind.startswith(UNSAYING):
            fields.append(f"{{'field': {literal(name)}, 'words': {text}}}")
    if not fields:
        return None
    pieces = {"item": queries.item_text(relations), "columns": ", ".join(fields), "most": str(MOST_ALIKE)}
    found = cursor.execute(queries.text("recommend/content", **pieces)).fetchnumpy()
    starts = np.searchsorted(found["word"], np.arange(found["word"].max(initial=-1) + 2))
    return scipy.sparse.csr_array((found["strength"], found["item"], starts), shape=(len(starts) - 1, n_items))


def _test(
    cursor: duckdb.DuckDBPyConnection,
    past: Log,
    last: Log,
    recipe: BehaviorOptions,
    blend: Blend,
    begun: Mapping[str, Weights],
    stage: Stage,
) -> None:
    """How high the last step stands, by what was chosen and by what is popular; leaves `sqlml_metrics`."""
    known, truth = ranking.sample(past, last, recipe.seed, MOST_TESTED)
    weights = ranking.fit(past, recipe, blend, begun, stage)
    floor = ranking.combined({"popular": {"popularity": weights[ranking.POPULARITY]}}, blend.only("popular"))
    tested = {recipe.method: weights, "popular": floor}
    found = {
        name: ranking.ranks(ranking.Blended(each, past.n_items), blend, known, truth) for name, each in tested.items()
    }
    keys = pa.table(
        {
            "customer_id": pa.array(np.arange(len(truth))),
            "as_of": pa.nulls(len(truth), pa.timestamp("us")),
            "label": pa.array([float(len(each)) for each in found[recipe.method]]),
            "is_active": pa.array(np.zeros(len(truth), bool)),
            "key": pa.nulls(len(truth), pa.string()),
        }
    )
    scores = [(method, pa.array([each.tolist() for each in ranks])) for method, ranks in found.items()]
    evaluation.compare(cursor, HeldOut(keys, scores), recipe.seed, Target("items"))
