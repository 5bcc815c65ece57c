"""The central table: a task is a row of `TASKS`, a method a row of `METHODS`. Nothing else lists them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlml.errors import OptionError, did_you_mean
from sqlml.methods import logistic, net
from sqlml.methods.base import Method
from sqlml.options import ModelOptions


@dataclass(frozen=True)
class Task:
    """What a model predicts, from which label, through which functions.

    Attributes:
        name: The value of the option `task`.
        label: A file of `sql/labels`.
        kinds: Kinds of function (files of `udfs/`), the main one first.
        methods: Names in `METHODS` that can learn it.
        beside: Methods trained beside the chosen one and shown with it.
        label_options: Options that the label file takes as parameters.
    """

    name: str
    label: str
    kinds: tuple[str, ...]
    methods: tuple[str, ...]
    beside: tuple[str, ...]
    label_options: tuple[str, ...]


METHODS: Mapping[str, Method] = {"net": net, "logistic": logistic}

TASKS: Mapping[str, Task] = {
    task.name: task
    for task in (
        Task(
            name="churn",
            label="churn",
            kinds=("score",),
            methods=("net", "logistic"),
            beside=("logistic", "recency", "base rate"),
            label_options=("active_event",),
        ),
    )
}


def task_of(options: ModelOptions) -> Task:
    """The task that the options name.

    Raises:
        OptionError: There is no such task, or it cannot be learnt by the method.
    """
    if options.task not in TASKS:
        raise OptionError(f"There is no task '{options.task}'." + did_you_mean(options.task, TASKS, "tasks"))
    task = TASKS[options.task]
    if options.method not in task.methods:
        raise OptionError(f"Task {task.name} has no method '{options.method}'." + did_you_mean(
            options.method, task.methods, "methods"))  # fmt: skip
    return task
