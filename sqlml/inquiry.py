"""EVALUATE MODEL ... ON query: a stored version against labels it is given, or that the events give by now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import duckdb
import numpy as np
import pyarrow as pa

from sqlml import behavior, catalog, evaluation, planning, queries, registry, targets
from sqlml.catalog import Catalog, Version
from sqlml.errors import DataError, did_you_mean
from sqlml.evaluation import HeldOut
from sqlml.lifecycle import Workplace
from sqlml.options import BehaviorOptions, QueryOptions
from sqlml.queries import ROW, identifier, literal

ASKED, ARROW = "sqlml_asked", "sqlml_arrow_asked"
Row = tuple[object, ...]


def evaluate(place: Workplace, name: str, number: int | None, rows: pa.Table) -> list[Row]:
    """Metrics of a version on the rows of a query: (method, population, metric, value, low, high, in_sample).

    `in_sample` says whether the training knew what came after the earliest moment asked for; of rows that is not known.

    Raises:
        ModelError: There is no such model or version.
        DataError: The rows lack a column, or no label is known.
    """
    store = Catalog(place.cursor, place.database)
    version = store.version(name, number)
    place.registry.register(version)
    place.cursor.register(ARROW, rows)
    in_sample: bool | None = None
    if isinstance(version.options, BehaviorOptions):
        query, values, in_sample = _customers(place.cursor, version, version.options, rows.column_names)
    else:
        chosen = cast("QueryOptions", version.options)
        query, values = _rows(version, chosen, rows.column_names), {}
    found = _run(place.cursor, query, values)
    place.cursor.unregister(ARROW)
    if not len(found):
        raise DataError("No row of the query has both an answer and a label.")
    target = version.encoder.target
    scores = found.column("score").to_pylist()
    answers = np.array(scores, np.float32)
    held_out = HeldOut(found.drop_columns(["score"]), [(version.method, answers)])
    evaluation.compare(place.cursor, held_out, version.options.seed, target)
    return [(*row, in_sample) for row in store.metrics() if row[1] == "all"]


def _run(cursor: duckdb.DuckDBPyConnection, query: str, values: dict[str, object]) -> pa.Table:
    try:
        return cursor.sql(query, params=values).to_arrow_table()
    except duckdb.BinderException as error:
        raise DataError(f"The rows do not fit the model: {str(error).partition(chr(10))[0]}") from error


def _rows(version: Version, chosen: QueryOptions, given: Sequence[str]) -> str:
    column, target = str(chosen.label), version.encoder.target
    if column.lower() not in map(str.lower, given):
        raise DataError(f"EVALUATE needs the label: the query has no column '{column}'." + did_you_mean(
            column, given, "columns"))  # fmt: skip
    label = f"{ROW}.{identifier(column)}"
    if target.levels:
        place = f"list_position([{', '.join(map(literal, target.levels))}], {label}::VARCHAR) - 1"
        label = f"({place}) = 1" if target.kind == "binary" else place
    answers = catalog.internal_macros(version.version_id)["answers"]
    return queries.text("catalog/evaluate_rows", label=label, answers=answers, row=ROW)


def _customers(
    cursor: duckdb.DuckDBPyConnection, version: Version, chosen: BehaviorOptions, given: Sequence[str]
) -> tuple[str, dict[str, object], bool]:
    """The query, its parameters, and whether the training knew a label that is asked for."""
    if "customer_id" not in map(str.lower, given):
        raise DataError("EVALUATE needs the column customer_id, and as_of: the moments to predict at.")
    cursor.execute(queries.text("catalog/asked_customers")).fetchall()
    first, last, missing = cursor.execute(
        f"SELECT min(as_of), max(as_of), count(*) - count(as_of) FROM {ASKED}").fetchall()[0]  # fmt: skip
    plan = planning.of(cursor, planning.without_as_of(chosen))
    over = plan.known.newest_event - plan.calendar.horizon
    if first is None or missing or last > over:
        asked = "no as_of" if first is None or missing else f"as_of {last}"
        raise DataError(
            f"EVALUATE compares with what happened in the horizon; the query gives {asked}. The newest event is of "
            f"{plan.known.newest_event}, so as_of may be at most '{over}'."
        )
    relations = behavior.read(cursor)
    label = targets.of(cursor, relations, chosen)
    kinds = {"score", "value"} & set(version.function_kinds)
    query = queries.text(
        "catalog/evaluate_customers",
        labels=queries.labels_of(relations, label.sql, ASKED),
        udf=registry.udf_name(kinds.pop(), version.version_id),
        features_of=catalog.internal_macros(version.version_id)["features_of"],
    )
    values = {**label.parameters, "window_seconds": plan.calendar.horizon.total_seconds()}
    if relations.has("known_at"):
        values["known_by"] = plan.known.newest_event
    return query, values, version.trained_until is None or first < version.trained_until


def explanation(store: Catalog, version: Version, query: str) -> str:
    """The query that puts beside the rows of another their answer and its explanation."""
    names = catalog.internal_macros(version.version_id)
    answer = store.main_function(version.version_id)
    if isinstance(version.options, BehaviorOptions):
        kinds = {"score", "value"} & set(version.function_kinds)
        udf = registry.udf_name(kinds.pop(), version.version_id)
        return queries.text("catalog/explain_customers", query=query, udf=udf, answer=identifier(answer), **names)
    return queries.text("catalog/explain_rows", query=query, answer=identifier(answer), **names)
