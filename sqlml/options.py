"""What a user can set, declared once: SQL OPTIONS, command-line flags and stored records derive from here."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeGuard, TypeVar

from sqlml.errors import OptionError, did_you_mean

INTERVAL, TIMESTAMP, NAMES, WEIGHTS = "interval", "timestamp", "names", "weights"
NETS = ("net", "ziln")
DESCENT = (*NETS, "autoencoder", "dec")
LABELLED = ("churn", "clv", "classification", "regression")
CLUSTERED = ("forecast", "kmeans", "autoencoder", "dec")
COLUMNS = ("net", "logistic", "linear", "ziln", *CLUSTERED)
"""Methods by the option that they use: what descends a gradient, what looks at every column."""
EXAMPLES = "Of more examples (rows, or customers times cut-offs) a share drawn by chance is learnt from."
BLEND = "Net and linear model: half and half, or fitted on the held-out rows of the folds."


def option(default: Any, help_text: str, **checks: object) -> Any:  # noqa: ANN401
    """A dataclass field with the help text that `--help` and the docs show; checks: kind, minimum, maximum, choices.

    `methods` and `tasks` name those that use the option, where not every one does.
    """
    return field(default=default, metadata={"help": help_text, **checks})


@dataclass(frozen=True)
class ModelOptions:
    """How to learn: the options of every model."""

    method: str = option("net", "How to learn: net or logistic (for numbers: linear).", is_tunable=True)
    members: int = option(
        8, "Members of the parameter-efficient ensemble.", is_tunable=True, minimum=1, maximum=256, methods=NETS
    )
    width: int = option(32, "Units of the hidden layer.", is_tunable=True, minimum=1, maximum=4096, methods=NETS)
    bins: int = option(
        12, "Bins of the piecewise-linear encoding of a number.", is_tunable=True, minimum=2, methods=NETS
    )
    dropout: float = option(
        0.2,
        "Share of hidden units dropped while training.",
        is_tunable=True,
        minimum=0,
        maximum=0.9,
        methods=NETS,
    )
    learning_rate: float = option(
        1.5e-3, "Peak learning rate of AdamW.", is_tunable=True, minimum=1e-6, maximum=1, methods=DESCENT
    )
    weight_decay: float = option(
        0.1, "Weight decay of AdamW.", is_tunable=True, minimum=0, methods=(*DESCENT, "gru4rec", "sasrec")
    )
    batch_size: int = option(1024, "Rows in a mini-batch.", is_tunable=True, minimum=1, maximum=2**20, methods=NETS)
    epochs: int = option(
        60, "At most so many passes over the training rows.", is_tunable=True, minimum=1, maximum=10**5, methods=NETS
    )
    patience: int = option(
        4, "Stop after so many passes without improvement.", is_tunable=True, minimum=1, methods=NETS
    )
    blend: str = option("half", BLEND, is_tunable=True, choices=("half", "fitted"), methods=("net",))
    k: int | None = option(
        None, "Of segments: how many. Default: as many as are stable.", minimum=2, maximum=50, tasks=("segment",)
    )
    min_size: int = option(5, "Of segments: the least customers or rows that make one.", minimum=1, methods=CLUSTERED)
    versions_kept: int | None = option(
        None, "Keep the newest so many versions, and the promoted one. Default: all.", minimum=1
    )
    max_examples: int = option(1_000_000, EXAMPLES, minimum=1_000)
    folds: int = option(3, "Folds for early stopping and calibration.", minimum=2, maximum=100, tasks=LABELLED)
    threshold: float = option(
        0.5,
        "Of two classes: the probability from which a row counts as positive.",
        minimum=0,
        maximum=1,
        tasks=("churn", "classification"),
    )
    seed: int = option(
        0, "Seed of every random choice: same data, seed and versions, same weights.", minimum=0, maximum=2**31 - 1
    )

    def to_json(self) -> str:
        """The record as it is stored with the version."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)


@dataclass(frozen=True)
class BehaviorOptions(ModelOptions):
    """Options of a behaviour model. Intervals and times are DuckDB's own text forms."""

    method: str = option("auto", "How to learn; auto: what suits the task. The docs list the methods of each task.")
    max_examples: int = option(1_000_000, EXAMPLES, minimum=1_000, tasks=LABELLED)
    task: str | None = option(
        None, "What to predict: churn, clv, segment or recommend. Default: churn, or what predict says."
    )
    predict: str | None = option(
        None, "A target in SQL: an aggregate over the future, e.g. sum(amount) > 100.", tasks=(*LABELLED, "segment")
    )
    population: str | None = option(
        None, "Of whom: a condition on the history by as_of, e.g. max(event_time) > as_of - INTERVAL 60 DAY."
    )
    horizon: str | None = option(
        None,
        "How far ahead to predict, e.g. 90d, 13 weeks, 6 months. Required for churn, clv and predict.",
        kind=INTERVAL,
        tasks=(*LABELLED, "segment"),
    )
    discount: float = option(
        0.0,
        "Of clv: the yearly rate by which money to come is worth less; 0: a plain sum.",
        minimum=0,
        maximum=10,
        tasks=("clv",),
    )
    period: str | None = option(None, "Of clv: the length of a period of the curve. Default: 1 month, or the horizon "
                                "where that is shorter.", kind=INTERVAL, tasks=("clv",))  # fmt: skip
    repeat: str = option(
        "auto",
        "Of recommend: whether what a customer had may come again. auto: as it does in the data.",
        choices=("auto", "true", "false"),
        tasks=("recommend",),
    )
    candidates: str | None = option(
        None,
        "Of recommend: a condition on behavior.items, asked at every call, e.g. stock > 0. Default: all items.",
        tasks=("recommend",),
    )
    event_weights: tuple[tuple[str, float], ...] = option(
        (),
        "Of recommend: what an event of a type counts, e.g. view=1,cart=3,purchase=5. Others: 1.",
        kind=WEIGHTS,
        tasks=("recommend",),
    )
    active_event: str | None = option(
        None,
        "The event type that counts as activity, or as a purchase. Default: any event, any with an amount.",
        tasks=("churn", "clv", "segment"),
    )
    active_within: str | None = option(
        None,
        "Train only on customers with an event this recently before the cut-off.",
        kind=INTERVAL,
        tasks=(*LABELLED, "segment"),
    )
    attributes: tuple[str, ...] = option(
        (),
        "Columns of behavior.customers that may be used, or 'all'. They must be true as of any date.",
        kind=NAMES,
        tasks=(*LABELLED, "segment"),
        methods=COLUMNS,
    )
    as_of: str | None = option(
        None, "The last moment the training may know. Default: the newest event not in the future.", kind=TIMESTAMP
    )
    every: str | None = option(
        None, "Distance between training cut-offs. Default: the horizon.", kind=INTERVAL, tasks=(*LABELLED, "segment")
    )
    max_cutoffs: int = option(
        4, "At most so many training cut-offs.", minimum=1, maximum=1000, tasks=(*LABELLED, "segment")
    )


@dataclass(frozen=True)
class QueryOptions(ModelOptions):
    """Options of a query model: each row of the query is an example."""

    method: str = option(
        "auto",
        "How to learn: net, logistic (for numbers: linear), or auto: the linear one where it is level.",
        is_tunable=True,
    )
    members: int = option(
        16, "Members of the parameter-efficient ensemble.", is_tunable=True, minimum=1, maximum=256, methods=NETS
    )
    learning_rate: float = option(
        4e-3, "Peak learning rate of AdamW.", is_tunable=True, minimum=1e-6, maximum=1, methods=DESCENT
    )
    batch_size: int = option(256, "Rows in a mini-batch.", is_tunable=True, minimum=1, maximum=2**20, methods=NETS)
    epochs: int = option(
        80, "At most so many passes over the training rows.", is_tunable=True, minimum=1, maximum=10**5, methods=NETS
    )
    patience: int = option(
        5, "Stop after so many passes without improvement.", is_tunable=True, minimum=1, methods=NETS
    )
    blend: str = option("fitted", BLEND, is_tunable=True, choices=("half", "fitted"), methods=("net",))
    task: str | None = option(None, "classification, regression or segment. Default: what the type of the label says.")
    label: str | None = option(None, "The column to predict. Required.", tasks=LABELLED)
    key: str | None = option(None, "The column that names a row; it is not learnt from.")
    positive: str | None = option(
        None, "The class whose probability is asked for. Default: the last of two in order.", tasks=("classification",)
    )
    columns: tuple[str, ...] = option((), "The columns to learn from. Default: all.", kind=NAMES)
    exclude: tuple[str, ...] = option((), "Columns not to learn from.", kind=NAMES)
    split: str = option(
        "auto",
        "How rows are held out: random, time, custom. auto: by what split_column is.",
        choices=("auto", "random", "time", "custom"),
        tasks=LABELLED,
    )
    split_column: str | None = option(
        None, "A time (the newest rows are held out) or a flag (TRUE: held out).", tasks=LABELLED
    )
    test_fraction: float = option(0.2, "Share of the rows held out.", minimum=0.01, maximum=0.9, tasks=LABELLED)
    search: str = option(
        "grid",
        "How to try options given as lists: grid (all combinations), random, none.",
        choices=("grid", "random", "none"),
        tasks=LABELLED,
    )
    trials: int = option(12, "Recipes that search = 'random' draws.", minimum=1, maximum=1000, tasks=LABELLED)
    budget: str | None = option(
        None, "Begin no further recipe after this long, e.g. 5 minutes.", kind=INTERVAL, tasks=LABELLED
    )


ELSEWHERE = {
    "model_type": "task: classification, regression or segment with AS query; churn, clv, segment or recommend without",
    "problem_type": "task = 'classification' or 'regression'",
    "input_label_cols": "label = 'column'",
    "target": "label = 'column'",
    "data_split_method": "split = 'random', 'time' or 'custom'",
    "data_split_eval_fraction": "test_fraction = 0.2",
    "data_split_test_fraction": "test_fraction = 0.2",
    "test_size": "test_fraction = 0.2",
    "data_split_col": "split_column = 'column'",
    "num_clusters": "k",
    "n_clusters": "k",
    "max_iterations": "epochs",
    "max_iter": "epochs",
    "learn_rate": "learning_rate",
    "ls_init_learn_rate": "learning_rate",
    "l2_reg": "weight_decay",
    "l1_reg": "weight_decay, which is of squares: there is no L1 penalty",
    "early_stop": "patience: training always stops early",
    "min_rel_progress": "patience: training always stops early",
    "hidden_units": "width",
    "num_trials": "trials, with search = 'random'",
    "hparam_tuning_algorithm": "search = 'grid' or 'random'",
    "max_runtime": "budget = '5 minutes'",
    "auto_class_weights": "not needed, as probabilities are calibrated: threshold says which rows are positive",
    "class_weights": "not needed, as probabilities are calibrated: threshold says which rows are positive",
    "algorithm": "method",
    "random_state": "seed",
    "user_col": "customer_id of behavior.events",
    "item_col": "item_id of behavior.events",
    "rating_col": "event_weights, by the type of an event",
}
"""Options of BigQuery ML, Redshift ML, PostgresML and scikit-learn → what stands for them here."""
Kind = TypeVar("Kind", bound=ModelOptions)


def from_json(text: str) -> ModelOptions:
    """Read a stored record; options that this release does not know any more are left out."""
    record = json.loads(text)
    kind: type[ModelOptions] = QueryOptions if "label" in record else BehaviorOptions
    return make(kind, {name: value for name, value in record.items() if name in fields(kind)})


def fields(kind: type[ModelOptions]) -> dict[str, dataclasses.Field[Any]]:
    """Name → field, those of the kind first."""
    found = {f.name: f for f in dataclasses.fields(kind)}
    common = {f.name for f in dataclasses.fields(ModelOptions)}
    return {name: found[name] for name in sorted(found, key=lambda name: name in common)}


def tunable(kind: type[ModelOptions]) -> list[str]:
    """The options that a search can vary."""
    return [name for name, spec in fields(kind).items() if spec.metadata.get("is_tunable")]


def is_list(value: object, kind: type[ModelOptions], name: str) -> TypeGuard[Sequence[object]]:
    """Whether several values of an option are given to try.

    Raises:
        OptionError: The option takes one value, or the list is empty.
    """
    known = fields(kind)
    if not isinstance(value, (list, tuple)) or name not in known or known[name].metadata.get("kind") == NAMES:
        return False
    if not known[name].metadata.get("is_tunable"):
        raise OptionError(f"Option {name} takes one value. Lists can be tried for {', '.join(tunable(kind))}.")
    if not value:
        raise OptionError(f"Option {name} is an empty list: give the values to try.")
    return True


def make(kind: type[Kind], values: Mapping[str, object]) -> Kind:
    """Check names and values; every mistake is an `OptionError` that shows what exists."""
    known = fields(kind)
    require_known(kind, values)
    return kind(**{name: _convert(known[name], value) for name, value in values.items()})


def unused(kind: type[ModelOptions], task: str, methods: Sequence[str]) -> dict[str, str]:
    """The options that mean nothing for a task learnt by these methods, each with the reason."""
    found: dict[str, str] = {}
    for name, spec in fields(kind).items():
        owners, users = (spec.metadata.get(what) for what in ("tasks", "methods"))
        if users and not set(users) & set(methods):
            found[name] = f"is used by {_listed('method', users)}; here {_listed('method', methods)} would ignore it"
        if owners and task not in owners:
            found[name] = f"is one of {_listed('task', owners)}; this is {task}"
    return found


def require_used(kind: type[ModelOptions], given: Iterable[str], task: str, methods: Sequence[str]) -> None:
    """Check that each option that was given changes something.

    Raises:
        OptionError: It names the option, and the tasks or methods that use it.
    """
    idle = unused(kind, task, methods)
    if names := [name for name in given if name in idle]:
        raise OptionError(f"Option {names[0]} {idle[names[0]]}. Leave it out.")


def _listed(what: str, names: Sequence[str]) -> str:
    return f"{what}{'s' if len(names) > 1 else ''} {', '.join(names)}"


def require_known(kind: type[ModelOptions], names: Iterable[str]) -> None:
    """Check the names of options.

    Raises:
        OptionError: There is none of a name; it says what another product's is called here.
    """
    known = fields(kind)
    for name in names:
        if name in known:
            continue
        if name in ELSEWHERE:
            raise OptionError(f"There is no option '{name}'. Here it is {ELSEWHERE[name]}.")
        other = QueryOptions if kind is BehaviorOptions else BehaviorOptions
        if name in fields(other):
            whose = "rows: add AS query" if other is QueryOptions else "customers and time: leave out AS query"
            raise OptionError(f"Option {name} is one of a model of {whose}." + did_you_mean(name, known, "options"))
        raise OptionError(f"There is no option '{name}'." + did_you_mean(name, known, "options"))


def _convert(spec: dataclasses.Field[Any], value: object) -> Any:  # noqa: ANN401
    kind, type_name = spec.metadata.get("kind"), str(spec.type).removesuffix(" | None")
    if value is None:
        return None if "None" in str(spec.type) else spec.default
    if kind == WEIGHTS:
        return _weights(spec.name, value)
    if kind == NAMES:
        return tuple(str(v) for v in value) if isinstance(value, (list, tuple)) else (str(value),)
    if kind == INTERVAL and not _has_unit(value):
        raise OptionError(
            f"Option {spec.name} = {value}: a length of time needs its unit: '90 days', '13 weeks', '3 months'."
        )
    if type_name == "str":
        text = str(value).lower() if isinstance(value, bool) else str(value)
        if text not in (choices := spec.metadata.get("choices", (text,))):
            raise OptionError(f"Option {spec.name} cannot be '{text}'." + did_you_mean(text, choices, "values"))
        return text
    return _number(spec, type_name, value)


def _weights(name: str, value: object) -> tuple[tuple[str, float], ...]:
    """Pairs of a name and a number that is not negative, from a struct or map of SQL, or from a text."""
    pairs: Iterable[object] = (
        value.items() if isinstance(value, Mapping) else value if isinstance(value, (list, tuple)) else ()
    )
    if isinstance(value, str):
        pairs = [each.rpartition("=")[::2] for each in value.split(",")]
    found = []
    for pair in pairs:
        key, weight = pair if isinstance(pair, (list, tuple)) and len(pair) == 2 else (pair, "")  # noqa: PLR2004
        try:
            number = float(str(weight))
        except ValueError:
            number = -1.0
        if not 0 <= number < math.inf:
            raise OptionError(f"Option {name} = {value!r}: give each type a number of 0 or more, e.g. view=1,cart=3.")
        found.append((str(key).strip(), number))
    return tuple(found)


def flag(name: str, value: object) -> bool:
    """A value that must be true or false.

    Raises:
        OptionError: It is neither.
    """
    if not isinstance(value, bool):
        raise OptionError(f"Option {name} = {value!r} must be true or false.")
    return value


def only_flag(name: str, values: Mapping[str, object], *, default: bool) -> bool:
    """The one option that a statement has.

    Raises:
        OptionError: There is another, or it is neither true nor false.
    """
    if strange := values.keys() - {name}:
        raise OptionError(f"There is no option '{min(strange)}' here. Options: {name}.")
    return flag(name, values.get(name, default))


def _has_unit(value: object) -> bool:
    """DuckDB reads a bare M as minutes; whoever writes 3M means months."""
    return any(c.isalpha() or c == ":" for c in str(value)) and not str(value).strip().endswith(("M", "m"))


def _number(spec: dataclasses.Field[Any], type_name: str, value: object) -> float | int:
    try:
        number = float(str(value))
    except ValueError:
        raise OptionError(f"Option {spec.name} = {value!r} must be a number. {spec.metadata['help']}") from None
    if not math.isfinite(number):
        raise OptionError(f"Option {spec.name} = {value!r} must be a finite number.")
    minimum, maximum = spec.metadata.get("minimum"), spec.metadata.get("maximum")
    if type_name == "int" and number != int(number):
        raise OptionError(f"Option {spec.name} = {value!r} must be a whole number.")
    if minimum is not None and number < minimum:
        raise OptionError(f"Option {spec.name} = {value!r} must be at least {minimum}.")
    if maximum is not None and number > maximum:
        raise OptionError(f"Option {spec.name} = {value!r} must be at most {maximum}.")
    return int(number) if type_name == "int" else number
