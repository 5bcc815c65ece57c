"""Errors of DuckDB about a call of a model, with what it cannot know: which functions there are, and their forms."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import duckdb

from sqlml.catalog import Catalog, Version
from sqlml.options import QueryOptions

MOMENTS = (
    "A moment is a DATE or a TIMESTAMP in UTC: DATE '2025-06-01', TIMESTAMP '2025-06-01 12:00:00', "
    "now() AT TIME ZONE 'UTC'; a text as '2025-06-01'::TIMESTAMP, with an offset as "
    "'2025-06-01 12:00+02:00'::TIMESTAMPTZ AT TIME ZONE 'UTC'."
)
ZONED = (
    "A time in schema behavior has another type than when the model was trained, and is no TIMESTAMP: event_time or "
    "known_at of behavior.events, valid_from or an attribute of behavior.customers. With a TIMESTAMP WITH TIME ZONE "
    "scores would follow the time zone of the session: write it as column AT TIME ZONE 'UTC' in the view, a text as "
    "column::TIMESTAMP; or train again (ALTER MODEL ... RETRAIN)."
)
ELSEWHERE = (
    "This function belongs to a model of an attached database, and reads the tables of the current one. "
    "USE that database first, then call it without its name: USE b; SELECT churn_score(7)."
)
LONGEST_TYPE = 40
OPTIONS = {
    "churn": "horizon = INTERVAL 90 DAY",
    "clv": "task = 'clv', horizon = INTERVAL 90 DAY",
    "segment": "task = 'segment'",
    "recommend": "task = 'recommend'",
}
"""Names that models of each task usually have → the options that make one."""
_UNKNOWN = re.compile(r"Function with name \"?(?P<name>[^\"\s]+)\"? does not exist")
_REFUSED = re.compile(r"Macro \"?(?P<name>[^\"\s]+?)\"?\(\) does not support the supplied arguments")
_ELSEWHERE = re.compile(r"name \"?[a-z_]+_(?P<name>[0-9a-f]{12})\w*\"? does not exist")
_TWICE = re.compile(r"More than one row returned by a subquery")
TWICE = (
    "A subquery gave several rows. In a call of a model that means a customer with several rows in behavior.customers, "
    "where there was one at the training: `sqlml check` shows them. If they are the history of attributes, with "
    "valid_from, train again: ALTER MODEL ... RETRAIN."
)
_OF_BIGQUERY = re.compile(r"\bML\s*\.\s*(?P<function>\w+)\s*\(\s*MODEL\s+(?P<model>[`\"\w.-]+)", re.IGNORECASE)
EQUIVALENTS = {
    "PREDICT": "FROM ml.predict('{model}', 'SELECT ...')",
    "EVALUATE": "EVALUATE MODEL {model} [ON SELECT ...]",
    "EXPLAIN_PREDICT": "EXPLAIN MODEL {model} FOR SELECT ...",
    "RECOMMEND": "SELECT unnest({model}(customer_id, 10), recursive := true) FROM behavior.customers",
    "CENTROIDS": "FROM ml.segments('{model}')",
    "GLOBAL_EXPLAIN": "FROM ml.feature_importance('{model}')",
    **{name: f"FROM ml.{name.lower()}('{{model}}')" for name in
       ("ROC_CURVE", "CONFUSION_MATRIX", "TRAINING_INFO", "TRIAL_INFO", "FEATURE_IMPORTANCE", "FEATURE_INFO")},
}  # fmt: skip
"""Table functions of BigQuery ML → what is written here."""


@dataclass(frozen=True)
class Said:
    """What DuckDB said of a statement: the first line, the text of the statement, the name that it is about."""

    first_line: str
    text: str
    name: str


def of(error: duckdb.Error, text: str, store: Catalog) -> str | None:
    """A better text for an error that a statement raised; None where DuckDB's own says it all."""
    message = str(error)
    if isinstance(error, duckdb.ParserException):
        return _of_bigquery(text, store)
    for pattern, tell in ADVISED:
        if found := pattern.search(message):
            return tell(Said(message.partition("\n")[0], text, found.groupdict().get("name", "")), store)
    return None


def short_type(name: str) -> str:
    """The name of a type; of an ENUM without its values."""
    return name if len(name) <= LONGEST_TYPE else f"{name.partition('(')[0]}(...)"


def _owner(store: Catalog, function: str) -> Version | None:
    """The model that a function is named after."""
    name = function.lower()
    models = [v for v in store.versions() if name == v.model.lower() or name.startswith(f"{v.model.lower()}_")]
    return max(models, key=lambda v: len(v.model), default=None)


def _of_twice(said: Said, store: Catalog) -> str | None:
    is_of_model = any(v.model.lower() in said.text.lower() for v in store.versions() if v.query is None)
    return TWICE if is_of_model else None


def _of_elsewhere(said: Said, store: Catalog) -> str | None:
    return None if said.name in {v.version_id for v in store.versions(promoted=False)} else ELSEWHERE


def _of_missing(function: str, store: Catalog) -> str | None:
    """Of a function that a model would have which is not there."""
    task = function.partition("_")[0]
    if task not in OPTIONS:
        return None
    models = ", ".join(store.models()) or "none"
    return (
        f"There is no function {function}: it would belong to a model {task}. Models: {models}. "
        f"To make it: CREATE MODEL {task} OPTIONS ({OPTIONS[task]})."
    )


def _of_unknown(said: Said, store: Catalog) -> str | None:
    version = _owner(store, said.name)
    if version is None:
        return _of_missing(said.name.lower(), store)
    return (
        f"{said.first_line}\nModel '{version.model}' (task {version.task}) has the functions:\n{_calls(version, store)}"
    )


def _of_refused(said: Said, store: Catalog) -> str | None:
    if said.name == "in_utc":
        return ZONED
    version = _owner(store, said.name)
    if version is None:
        return None
    refused = said.first_line.partition(".")[0]
    told = f"{refused}.\nThe functions of model '{version.model}' are:\n{_calls(version, store)}"
    if isinstance(version.options, QueryOptions):
        return f"{told}\nt is a whole row: the name or alias of a table, not its columns."
    return f"{told}\ncustomer_id is {short_type(store.key_type(version.version_id))}. {MOMENTS}"


ADVISED: tuple[tuple[re.Pattern[str], Callable[[Said, Catalog], str | None]], ...] = (
    (_TWICE, _of_twice),
    (_ELSEWHERE, _of_elsewhere),
    (_UNKNOWN, _of_unknown),
    (_REFUSED, _of_refused),
)


def _calls(version: Version, store: Catalog) -> str:
    """How each function of a model is called, one a line."""
    return "\n".join(f"  {call}" for call in store.calls(version.version_id))


def _of_bigquery(text: str, store: Catalog) -> str | None:
    found = _OF_BIGQUERY.search(text)
    if not found:
        return None
    function, model = found["function"].upper(), found["model"].strip('`"').rpartition(".")[2]
    form = EQUIVALENTS.get(function, "SHOW MODELS, whose column functions lists what can be called").format(model=model)
    version = next((v for v in store.versions() if v.model.lower() == model.lower()), None)
    if function == "PREDICT" and version is not None and version.query is None:
        form = f"the functions of the model\n{_calls(version, store)}\n"
    return f"ML.{function}(MODEL ...) is a form of BigQuery ML. The equivalent here is {form}"
