"""EVALUATE MODEL ... ON query: a stored version against labels it is given, or that the events give by now."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import cast

import duckdb
import numpy as np
import pyarrow as pa

from sqlml import behavior, catalog, encoding, evaluation, lifecycle, queries, reading, registry, tabular, targets
from sqlml.catalog import Catalog, Version
from sqlml.errors import DataError, ModelError, did_you_mean, first_line
from sqlml.evaluation import HeldOut
from sqlml.lifecycle import Workplace
from sqlml.options import BehaviorOptions, QueryOptions
from sqlml.queries import ROW, identifier, literal

ASKED, ARROW = "sqlml_asked", "sqlml_arrow_asked"
Row = tuple[object, ...]


def evaluate(place: Workplace, name: str, number: int | None, rows: pa.RecordBatchReader) -> list[Row]:
    """Metrics of a version on the rows of a query: (method, population, metric, value, low, high, in_sample).

    `in_sample` says whether the training knew what came after the earliest moment asked for; of rows that is not known.

    Raises:
        ModelError: There is no such model or version.
        DataError: The rows lack a column, or no label is known.
    """
    store = Catalog(place.cursor, place.database)
    version = store.version(name, number)
    if version.encoder.target.kind == "items":
        raise ModelError(
            f"A recommender is judged by the next step of every customer: EVALUATE MODEL {name}, without a query."
        )
    lifecycle.require_unhidden(place.cursor, place.database)
    place.registry.register(version)
    given = tabular.load(place.cursor, rows, ARROW)
    with store.snapshot():
        found, in_sample = _found(place.cursor, version, given)
    place.cursor.execute(f"DROP TABLE {ARROW}").fetchall()
    if not len(found):
        raise DataError("No row of the query has both an answer and a label.")
    target = version.encoder.target
    answers = np.array(found.column("score").to_pylist(), np.float32)
    held_out = HeldOut(found.drop_columns(["score"]), [(version.method, answers)])
    evaluation.compare(place.cursor, held_out, version.options.seed, target, version.options.threshold)
    return [(*row, in_sample) for row in store.metrics() if row[1] == "all"]


def _found(
    cursor: duckdb.DuckDBPyConnection, version: Version, given: Mapping[str, str]
) -> tuple[pa.Table, bool | None]:
    """Keys, labels and scores, and whether the training knew a label that is asked for."""
    if isinstance(version.options, BehaviorOptions):
        return _customers(cursor, version, version.options, list(given))
    if version.encoder.target.kind == "segment":
        raise ModelError(
            f"Segments of rows have no label to be judged by. EVALUATE MODEL {version.model} tells how stable they are."
        )
    label = _label(version, given)
    _require_known_labels(cursor, version, label)
    if version.encoder.target.kind == "binary":
        label = f"({label}) = 1"
    answers = catalog.internal_macros(version.version_id)["answers"]
    return _run(cursor, queries.text("catalog/evaluate_rows", label=label, answers=answers, row=ROW), {}), None


def _run(cursor: duckdb.DuckDBPyConnection, query: str, values: dict[str, object]) -> pa.Table:
    try:
        return cursor.sql(query, params=values).to_arrow_table()
    except duckdb.BinderException as error:
        raise DataError(f"The rows do not fit the model: {first_line(error)}.") from error


def _require_known_labels(cursor: duckdb.DuckDBPyConnection, version: Version, label: str) -> None:
    quoted = f"{ROW}.{identifier(str(cast('QueryOptions', version.options).label))}"
    query = f"""SELECT count(*), any_value({quoted}::VARCHAR) FROM {ARROW} {ROW}
                WHERE {quoted} IS NOT NULL AND ({label}) IS NULL"""
    count, example = cursor.execute(query).fetchall()[0]
    levels = version.encoder.target.levels
    if count and levels:
        known = ", ".join(levels)
        raise DataError(
            f"{count:,} rows have a label that the model does not know, such as {example}; it knows {known}."
        )


def _label(version: Version, given: Mapping[str, str]) -> str:
    """The label of a row as a number: of classes its code; text is read as it was in the training."""
    column, target = str(cast("QueryOptions", version.options).label), version.encoder.target
    kind = next((kind for name, kind in given.items() if name.lower() == column.lower()), None)
    if kind is None:
        raise DataError(f"EVALUATE needs the label: the query has no column '{column}'." + did_you_mean(
            column, given, "columns"))  # fmt: skip
    label = f"{ROW}.{identifier(column)}"
    if target.levels:
        is_number = encoding.is_number(kind) and all(map(_is_number, target.levels))  # 1 is 1.0
        listed, as_type = (target.levels, "DOUBLE") if is_number else (map(literal, target.levels), "VARCHAR")
        return f"list_position([{', '.join(listed)}]::{as_type}[], {label}::{as_type}) - 1"
    return target.expression if target.expression and reading.is_text(kind) else label


def _is_number(level: str) -> bool:
    try:
        return math.isfinite(float(level))
    except ValueError:
        return False


def _customers(
    cursor: duckdb.DuckDBPyConnection, version: Version, chosen: BehaviorOptions, given: Sequence[str]
) -> tuple[pa.Table, bool]:
    if "customer_id" not in map(str.lower, given):
        raise DataError("EVALUATE needs the column customer_id, and as_of: the moments to predict at.")
    cursor.execute(queries.text("catalog/asked_customers")).fetchall()
    first, last, missing = cursor.execute(
        f"SELECT min(as_of), max(as_of), count(*) - count(as_of) FROM {ASKED}").fetchall()[0]  # fmt: skip
    relations, known = behavior.read(cursor), behavior.facts(cursor)
    horizon = cast("timedelta", version.horizon)
    over = known.newest_event - horizon
    if first is None or missing or last > over:
        asked = "no as_of" if first is None or missing else f"as_of {last}"
        raise DataError(
            f"EVALUATE compares with what happened in the horizon; the query gives {asked}. The newest event is of "
            f"{known.newest_event}, so as_of may be at most '{over}'."
        )
    label = targets.of(cursor, relations, chosen)
    query = queries.text(
        "catalog/evaluate_customers",
        labels=queries.labels_of(relations, label.sql, ASKED),
        answer=_answer(version),
        label="{'spend': l.label, 'orders': l.orders}" if version.encoder.target.kind == "segment" else "l.label",
        features_of=catalog.internal_macros(version.version_id)["features_of"],
    )
    values = {**label.parameters, "window_seconds": horizon.total_seconds(), "known_by": known.newest_event}
    return _run(cursor, query, values), version.trained_until is None or first < version.trained_until


def _answer(version: Version) -> str:
    """What is compared with a label: of a spend the sum before discounts, as the label is."""
    if version.encoder.target.kind == "segment":
        return f"ml.{catalog.internal_macros(version.version_id)['answers']}(f.{queries.STRUCT})"
    if version.encoder.target.kind == "spend":
        curve = catalog.internal_macros(version.version_id)["curve_once"]
        return f"list_sum(list_transform(ml.{curve}(f.{queries.STRUCT}), lambda p: p.spend))"
    return f"{registry.udf_name(version.main_kind, version.version_id)}(f.{queries.STRUCT})"


def explanation(store: Catalog, version: Version, query: str) -> str:
    """The query that puts beside the rows of another their answer and its explanation.

    Raises:
        ModelError: It makes segments or recommendations, which are not explained row by row.
    """
    if version.encoder.target.kind == "items":
        function = store.main_function(version.version_id)
        raise ModelError(f"A recommendation comes with its reason: SELECT unnest({function}(customer_id)).")
    if version.encoder.target.kind == "segment":
        raise ModelError(
            f"A segment is told by what sets it apart: FROM ml.segments({literal(version.model)}); every feature is in "
            f"FROM ml.segment_profile({literal(version.model)})."
        )
    names = catalog.internal_macros(version.version_id)
    of_classes = "_proba" if version.encoder.target.kind == "classes" else ""
    answer = store.main_function(version.version_id) + of_classes
    if isinstance(version.options, BehaviorOptions):
        udf = registry.udf_name(version.main_kind, version.version_id)
        moment = queries.asked_moment(version.silence)
        return queries.text(
            "catalog/explain_customers", query=query, udf=udf, answer=identifier(answer), moment=moment, **names
        )
    return queries.text("catalog/explain_rows", query=query, answer=identifier(answer), **names)
