"""The central table: a task is a row of `TASKS`, a method a row of `METHODS`. Nothing else lists them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlml import options
from sqlml.comparison import BASE_RATE
from sqlml.errors import OptionError, did_you_mean
from sqlml.methods import (
    autoencoder,
    bgnbd,
    content,
    dec,
    directed,
    ease,
    forecast,
    gru4rec,
    ials,
    kmeans,
    knn,
    linear,
    net,
    own,
    popular,
    rfm,
    rules,
    sasrec,
    sessions,
    ziln,
)  # fmt: skip
from sqlml.methods.base import Method
from sqlml.methods.ranking import Ranker
from sqlml.options import ModelOptions


@dataclass(frozen=True)
class Function:
    """A public function of a model: its name, `{model}` standing for the model's, and the kind of UDF it rests on."""

    pattern: str
    kind: str
    is_table: bool = False


@dataclass(frozen=True)
class Task:
    """What a model predicts, from which label, through which functions.

    Attributes:
        name: The value of the option `task`.
        functions: Public functions, the main one first.
        macros: The file of `sql/functions` that makes them.
        methods: Names in `METHODS` that can learn it, the best first.
        beside: What is trained beside the chosen method and shown with it.
        simple: The method that `auto` takes where it is level with the first: it is cheaper, and easier to explain.
    """

    name: str
    functions: tuple[Function, ...]
    macros: str
    methods: tuple[str, ...]
    beside: tuple[str, ...]
    simple: str | None = None

    def tried(self, method: str) -> tuple[str, ...]:
        """The methods that one option may lead to."""
        return self.methods if method in ("auto", "blend") else (method,)

    def named(self, model: str) -> list[tuple[str, str, bool]]:
        """(kind, name, whether a table function) of every public function of `model`."""
        return [(f.kind, f.pattern.format(model=model), f.is_table) for f in self.functions]


EXPLAIN = Function("{model}_explain", "explain")
METHODS: Mapping[str, Method] = {
    "net": net,
    "logistic": linear,
    "linear": linear,
    "ziln": ziln,
    "bgnbd": bgnbd,
    "forecast": forecast.METHOD,
    "rfm": rfm.METHOD,
    "kmeans": kmeans.METHOD,
    "autoencoder": autoencoder.METHOD,
    "dec": dec.METHOD,
}
RANKERS: Mapping[str, Ranker] = {
    "rules": rules.METHOD,
    "directed": directed.METHOD,
    "ease": ease.METHOD,
    "knn": knn.METHOD,
    "sessions": sessions.METHOD,
    "ials": ials.METHOD,
    "gru4rec": gru4rec.METHOD,
    "sasrec": sasrec.METHOD,
    "content": content.METHOD,
    "own": own.METHOD,
    "popular": popular.METHOD,
}
"""The methods of recommenders, which rank items."""

CHURN = Task(
    name="churn",
    functions=(Function("{model}_score", "score"), Function("{model}_at", "score", is_table=True), EXPLAIN),
    macros="by_customer",
    methods=("net", "logistic"),
    beside=("logistic", "recency", BASE_RATE),
    simple="logistic",
)
CLV = Task(
    name="clv",
    functions=(
        Function("{model}", "value"),
        Function("{model}_at", "value", is_table=True),
        Function("{model}_interval", "value"),
        Function("{model}_curve", "curve"),
        Function("{model}_curve", "curve", is_table=True),
        EXPLAIN,
    ),
    macros="by_customer",
    methods=("ziln", "bgnbd"),
    beside=("bgnbd", BASE_RATE),
)
SEGMENT = Task(
    name="segment",
    functions=(
        Function("{model}", "segment"),
        Function("{model}_at", "segment", is_table=True),
        Function("{model}_name", "segment"),
    ),
    macros="by_customer",
    methods=("forecast", "rfm", "kmeans", "autoencoder", "dec"),
    beside=("rfm", "kmeans"),
)
RECOMMEND = Task(
    name="recommend",
    functions=(
        Function("{model}", "recommend"),
        Function("{model}_at", "recommend", is_table=True),
        Function("{model}_score", "affinity"),
        Function("{model}_similar", "similar", is_table=True),
    ),
    macros="recommend",
    methods=("blend", *RANKERS),
    beside=("popular",),
)
BEHAVIOR_TASKS: Mapping[str, Task] = {"churn": CHURN, "clv": CLV, "segment": SEGMENT, "recommend": RECOMMEND}
"""The targets that have a name."""
_AMOUNT = Task(
    name="regression",
    functions=(
        Function("{model}", "value"),
        Function("{model}_at", "value", is_table=True),
        Function("{model}_interval", "value"),
        EXPLAIN,
    ),
    macros="by_customer",
    methods=("net", "linear"),
    beside=("linear", BASE_RATE),
    simple="linear",
)
TARGET_TASKS: Mapping[str, Task] = {
    "binary": dataclasses.replace(CHURN, name="classification"),
    "value": _AMOUNT,
    "amount": _AMOUNT,
}
"""By the kind of target of a behaviour model that has none."""
_NUMBER = Task(
    name="regression",
    functions=(Function("{model}", "value"), Function("{model}_interval", "value"), EXPLAIN),
    macros="row_value",
    methods=("net", "linear"),
    beside=("linear", BASE_RATE),
    simple="linear",
)
QUERY_TASKS: Mapping[str, Task] = {
    "binary": Task(
        name="classification",
        functions=(*(Function(f"{{model}}_{w}", "score") for w in ("score", "class", "proba", "interval")), EXPLAIN),
        macros="row_binary",
        methods=("net", "logistic"),
        beside=("logistic", BASE_RATE),
        simple="logistic",
    ),
    "classes": Task(
        name="classification",
        functions=(*(Function(f"{{model}}{w}", "proba") for w in ("", "_proba", "_interval")), EXPLAIN),
        macros="row_classes",
        methods=("net", "logistic"),
        beside=("logistic", BASE_RATE),
        simple="logistic",
    ),
    "value": _NUMBER,
    "amount": _NUMBER,
    "segment": Task(
        name="segment",
        functions=(Function("{model}", "segment"), Function("{model}_name", "segment")),
        macros="row_segment",
        methods=("kmeans", "autoencoder", "dec"),
        beside=("kmeans",),
    ),
}
"""By the kind of target, which the label decides, or the task."""
TASKS: tuple[Task, ...] = (*BEHAVIOR_TASKS.values(), *TARGET_TASKS.values(), *QUERY_TASKS.values())


def require_used(chosen: ModelOptions, given: Iterable[str], task: Task, methods: Sequence[str] = ()) -> None:
    """Check that the task has the methods, and that what was given means something to one that may be tried.

    Raises:
        OptionError: It says what the task has, or which tasks and methods use the option.
    """
    tried = {name: None for method in methods or (chosen.method,) for name in task.tried(method)}
    for method in tried:
        require_method(task, method)
    options.require_used(type(chosen), given, task.name, list(tried))


def require_method(task: Task, method: str) -> None:
    """Check that the method can learn the task.

    Raises:
        OptionError: It cannot.
    """
    if method not in task.methods:
        raise OptionError(f"Task {task.name} has no method '{method}'." + did_you_mean(method, task.methods, "methods"))
