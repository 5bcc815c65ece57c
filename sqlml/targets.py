"""A target in SQL: what PREDICT and its WHERE say is checked, made total over an empty future, and typed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import duckdb

from sqlml import encoding, queries
from sqlml.errors import DataError, OptionError, first_line
from sqlml.options import BehaviorOptions
from sqlml.queries import Behavior

PARAMETERS = {"window_seconds": 1, "known_by": "9999-01-01"}
BEFORE = "SELECT "
SUMS = ("sum", "fsum", "kahan_sum", "sum_no_overflow")
"""Aggregates that are NULL over nothing where they mean 0."""


@dataclass(frozen=True)
class Label:
    """What is predicted of each customer.

    Attributes:
        sql: A query over `future` that gives one row, `label`.
        parameters: Values of its parameters.
        is_binary: Whether it is BOOLEAN; else it is a number.
        of_nothing: The label of a customer without any event in the future.
        order: Of a spend: the condition that makes an event a purchase.
    """

    sql: str
    parameters: Mapping[str, object] = field(default_factory=dict)
    is_binary: bool = True
    of_nothing: bool = True
    order: str = ""

    @property
    def is_spend(self) -> bool:
        """Whether it is money with orders beside it, of which a shorter future than the horizon tells something too."""
        return bool(self.order)


def churn(active_event: str | None) -> Label:
    """No event (of one type, if it is named) in the horizon."""
    return Label(queries.text("labels/churn"), {"active_event": active_event})


def clv(behavior: Behavior, active_event: str | None) -> Label:
    """What is spent in the horizon, and on how many days something is bought.

    Every event with an amount of 0 or more is a purchase, or those of one type, if it is named. Every event with a
    negative amount is a refund.

    Raises:
        DataError: There are no amounts.
    """
    if not behavior.has("amount"):
        raise DataError(f"Customer lifetime value needs a column amount in behavior.events. {_columns(behavior)}")
    bought = "true" if active_event is None else f"event_type = {queries.literal(active_event)}"
    order, spent = f"{bought} AND amount >= 0", f"({bought} OR amount < 0)"
    return Label(queries.text("labels/clv", spent=spent, order=order), is_binary=False, order=order)


def segment(behavior: Behavior, active_event: str | None) -> Label:
    """What segments should tell apart: what is spent in the time to come, or where there are no amounts how often."""
    if behavior.has("amount"):
        return clv(behavior, active_event)
    active = "true" if active_event is None else f"event_type = {queries.literal(active_event)}"
    return Label(queries.text("labels/activity", active=active), is_binary=False, order=active)


def predict(cursor: duckdb.DuckDBPyConnection, behavior: Behavior, expression: str) -> Label:
    """The target of an expression over `future`.

    A sum of nothing is 0 and an unknown truth FALSE; where another expression is NULL the customer is left out.

    Raises:
        OptionError: It is no aggregate over the columns of behavior.events, or of a type that cannot be learnt.
    """
    total = _with_sums_of_nothing(cursor, expression)
    kind = _describe(cursor, behavior, expression, _labels(behavior, f"SELECT {total}\n AS label FROM future"))
    if kind == "BOOLEAN":
        text = queries.text("labels/truth", expression=total)
        return Label(text, of_nothing=_of_nothing(cursor, behavior, text))
    if encoding.is_number(kind):
        return Label(queries.text("labels/number", expression=total), is_binary=False)
    raise OptionError(f"PREDICT {expression} is {kind}: a BOOLEAN is classified, a number regressed, nothing else.")


def require_population(cursor: duckdb.DuckDBPyConnection, behavior: Behavior, condition: str) -> None:
    """Check the condition of FOR EACH CUSTOMER WHERE: aggregates over `history`.

    Raises:
        OptionError: It cannot be computed, or is no condition.
    """
    list(_aggregates(cursor, condition, "FOR EACH CUSTOMER WHERE"))
    frame = queries.Frame(behavior, population=condition)
    asked = "SELECT customer_id, event_time::TIMESTAMP AS as_of FROM behavior.events LIMIT 0"
    query = queries.features_of(frame, asked, "SELECT *")
    try:
        cursor.execute(f"DESCRIBE {query}").fetchall()
    except duckdb.Error as error:
        raise OptionError(
            f"FOR EACH CUSTOMER WHERE {condition}: {first_line(error)}. It is a condition on aggregates over the "
            f"customer's history by as_of, e.g. max(event_time) > as_of - INTERVAL 60 DAY. {_columns(behavior)}"
        ) from error


def _labels(behavior: Behavior, label: str, as_of: str = "event_time::TIMESTAMP", rows: int = 0) -> str:
    asked = f"(SELECT customer_id, {as_of} AS as_of FROM behavior.events LIMIT {rows})"
    return queries.labels_of(behavior, label, asked)


def _describe(cursor: duckdb.DuckDBPyConnection, behavior: Behavior, expression: str, query: str) -> str:
    try:
        described = cursor.execute(f"DESCRIBE {query}", PARAMETERS).fetchall()
    except duckdb.Error as error:
        raise OptionError(
            f"PREDICT {expression}: {first_line(error)}. It is an aggregate over the customer's future, "
            f"e.g. sum(amount) > 100. {_columns(behavior)}"
        ) from error
    return next(str(kind) for name, kind, *_ in described if name == "label")


def _of_nothing(cursor: duckdb.DuckDBPyConnection, behavior: Behavior, label: str) -> bool:
    query = _labels(behavior, label, "TIMESTAMP '9999-01-01'", 1)
    return bool(cursor.execute(query, PARAMETERS).fetchall()[0][2])


def _with_sums_of_nothing(cursor: duckdb.DuckDBPyConnection, expression: str) -> str:
    """The expression with each sum put into coalesce(..., 0)."""
    source = expression.encode()
    for start, end, name in sorted(_aggregates(cursor, expression, "PREDICT"), reverse=True):
        if name in SUMS:
            source = source[:start] + b"coalesce(" + source[start:end] + b", 0)" + source[end:]
    return source.decode()


def _aggregates(cursor: duckdb.DuckDBPyConnection, expression: str, clause: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, name) of each aggregate, in bytes.

    Raises:
        OptionError: There is none, the text is no expression, or it asks another table.
    """
    nodes = parts(cursor, expression, clause)
    names = dict(cursor.execute("SELECT function_name, true FROM duckdb_functions() WHERE function_type = 'aggregate'")
                 .fetchall())  # fmt: skip
    found = [node for node in nodes if node.get("class") == "FUNCTION" and node["function_name"].lower() in names]
    if not found:
        raise OptionError(f"{clause} {expression}: an aggregate is missing, such as count(*) or max(event_time).")
    if any(node.get("class") == "STAR" for node in nodes):
        raise OptionError(f"{clause} {expression}: name one column instead of a star or COLUMNS.")
    for node in found:
        if any(inner in found for inner in queries.nodes([*node.values()])):
            raise OptionError(f"{clause} {expression}: an aggregate of an aggregate has no meaning here.")
        start = node["query_location"] - len(BEFORE)
        yield start, start + node["query_location_length"], node["function_name"].lower()


def parts(cursor: duckdb.DuckDBPyConnection, expression: str, clause: str) -> list[Mapping[str, Any]]:
    """The nodes of an expression, their places counted from BEFORE it.

    Raises:
        OptionError: The text is no expression, or holds a query.
    """
    parsed = json.loads(cursor.execute("SELECT json_serialize_sql(?)", [f"{BEFORE}{expression}\n"]).fetchall()[0][0])
    if parsed["error"]:
        raise OptionError(f"{clause} {expression}: {parsed['error_message']}.")
    nodes = list(queries.nodes(parsed["statements"]))
    lists = [node["select_list"] for node in nodes if "select_list" in node]
    if len(parsed["statements"]) > 1 or len(lists) != 1 or len(lists[0]) != 1 or _has_more(parsed):
        raise OptionError(f"{clause} {expression}: one expression is expected, without a query inside.")
    return nodes


def _has_more(parsed: Mapping[str, Any]) -> bool:
    """Whether anything follows the expression: FROM, WHERE, GROUP BY ..."""
    node = parsed["statements"][0]["node"]
    is_plain = node.get("from_table", {}).get("type") == "EMPTY" and not node.get("where_clause")
    return not is_plain or bool(node.get("group_expressions")) or bool(node.get("modifiers"))


def _columns(behavior: Behavior) -> str:
    return f"Columns of behavior.events: {', '.join(behavior.events)}."


def of(cursor: duckdb.DuckDBPyConnection, behavior: Behavior, options: BehaviorOptions) -> Label:
    """The label that the options ask for.

    Raises:
        OptionError: The target or the population cannot be computed.
    """
    if options.population is not None:
        require_population(cursor, behavior, options.population)
    if options.predict is None:
        named = {"clv": clv, "segment": segment}.get(str(options.task))
        return named(behavior, options.active_event) if named else churn(options.active_event)
    return predict(cursor, behavior, options.predict)
