"""What goes before and after a model, as data: the encoder of columns, the label, the calibration of outputs.

A batch is a float32 matrix (rows, columns) with NaN for a missing value; a category is its code, 0 for "other".
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]
RAMP, LEVEL, MISSING = range(3)
"""What a unit of an encoding stands for: a stretch of a number, a level of a category, a missing value."""
FLAG = -1
"""In place of the levels of a column: it is a flag."""
SPEND_OUTPUTS = 4
ORDERS = (
    "repeat_orders",
    "last_order_days",
    "first_order_days",
    "repeat_order_amount",
    "order_amount",
    "refunded_orders",
)
"""What is known of a customer's orders, `sql/features/buying.sql`: columns of one source."""
SLOWEST = 1e-37
"""The least rate of a ramp: neither it nor its inverse leaves the range of float32."""


@dataclass(frozen=True)
class Target:
    """What a label is and what outputs mean.

    Attributes:
        kind: `binary`: one logit. `classes`: a logit a class. `value`: a standardised number. `amount`: the logarithm
            of the mean of a non-negative number, in units of `scale`. `spend`: of a customer in the horizon the logit
            of P(any order), the logarithms of orders and of spend (in units of `scale`) given that there is one, and
            what the spread of that spend is made of. `segment`: of each segment how near it is.
        levels: The classes in the order of their codes, as text; of a binary label the last is the positive one. The
            names of segments.
        center: Mean of a `value`.
        scale: Standard deviation of a `value`, mean of an `amount` or of a `spend`.
        power: Of an `amount` that of the variance in the mean (Tweedie): 1.5, or 1 of a count (Poisson).
        of_nothing: Of a binary label: what it is of a customer without any event in the horizon.
        ends: Of a spend: the days from as_of at which its periods end; the last one is the horizon.
        discounts: Of a spend: what an amount of each period is worth today.
        numbers: Of segments: the number of each, in the order of the levels.
        expression: SQL over a row for a label that is a number written as text; empty: the label as it is.
    """

    kind: str = "binary"
    levels: tuple[str, ...] = ()
    center: float = 0.0
    scale: float = 1.0
    power: float = 1.5
    of_nothing: bool = True
    ends: tuple[float, ...] = ()
    discounts: tuple[float, ...] = ()
    numbers: tuple[int, ...] = ()
    expression: str = ""

    @property
    def is_count(self) -> bool:
        """Whether it is a count, which has whole numbers alone."""
        return self.kind == "amount" and self.power == 1

    @property
    def size(self) -> int:
        """Outputs a row."""
        return {"classes": len(self.levels), "segment": len(self.levels), "spend": SPEND_OUTPUTS}.get(self.kind, 1)


@dataclass(frozen=True)
class Column:
    """One input of a model, as fitted on the training rows.

    `source` is the column of the data that it was made from, `expression` SQL over the raw columns. A number has
    `edges` (ascending, at least two, quantiles of the training rows), `spikes` (values that many rows share) and the
    `mean` and `deviation` of its signed logarithm; a category has `levels`, coded from 1. A flag is a number that is 0
    or 1: whether the list `values`, such as the words of a text, holds `element`; another column says whether its
    source is missing. `is_read` says that the expression reads text, which should not be done twice.
    """

    name: str
    source: str
    expression: str
    edges: tuple[float, ...] = ()
    spikes: tuple[float, ...] = ()
    levels: tuple[str, ...] = ()
    mean: float = 0.0
    deviation: float = 1.0
    values: str = ""
    element: str = ""
    is_read: bool = False

    @property
    def is_flag(self) -> bool:
        """Whether the column is an element of a list."""
        return bool(self.values)

    @property
    def is_category(self) -> bool:
        """Whether the column holds codes of levels."""
        return bool(self.levels)

    def units(self) -> list[tuple[float, float, int]]:
        """Its encoding: (low, rate, kind) of each unit, from edge to edge, of spikes or codes, of missing."""
        if self.is_flag:
            return [(0.0, 1.0, RAMP)]
        if self.is_category:
            known = [(float(code), 1.0, LEVEL) for code in range(len(self.levels) + 1)]
        else:
            pairs = zip(self.edges, self.edges[1:], strict=False)
            known = [(low, min(max(1 / (high - low), SLOWEST), 1 / SLOWEST), RAMP) for low, high in pairs]
            known += [(value, 1.0, LEVEL) for value in self.spikes]
        return [*known, (0.0, 1.0, MISSING)]


class Layout(NamedTuple):
    """The encoder as arrays: what changes from fit to fit of one set of columns.

    Of each unit of the encoding, shape (units,): its `column`, its `kind`, and for a ramp where it begins (`low`) and
    how fast it rises (`rate`), for a level the code it stands for (`low`). Of each column, shape (columns,): `mean` and
    `deviation`.
    """

    column: NDArray[np.int32]
    kind: NDArray[np.int32]
    low: Matrix
    rate: Matrix
    mean: Matrix
    deviation: Matrix


@dataclass(frozen=True)
class Encoder:
    """The fitted columns, in the order of the batch, and the label."""

    columns: tuple[Column, ...]
    target: Target = field(default_factory=Target)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its columns."""
        return tuple(c.name for c in self.columns)

    @cached_property
    def layout(self) -> Layout:
        """Arrays for the forward pass."""
        units = [(i, *unit) for i, column in enumerate(self.columns) for unit in column.units()]
        column, low, rate, kind = zip(*units, strict=True)
        return Layout(
            column=np.array(column, np.int32),
            kind=np.array(kind, np.int32),
            low=np.array(low, np.float32),
            rate=np.array(rate, np.float32),
            mean=np.array([c.mean for c in self.columns], np.float32),
            deviation=np.array([c.deviation for c in self.columns], np.float32),
        )

    @property
    def fields(self) -> list[list[Column]]:
        """The columns by field of the struct that a UDF receives: all flags of a list are one, any other its own."""
        keys = ((c.values, "" if c.is_flag else c.name) for c in self.columns)
        groups: dict[tuple[str, str], list[Column]] = {}
        for key, column in zip(keys, self.columns, strict=True):
            groups.setdefault(key, []).append(column)
        return list(groups.values())

    @property
    def types(self) -> dict[str, str]:
        """The SQL types of these fields, by name."""
        return {each[0].name: f"FLOAT[{len(each)}]" if each[0].is_flag else "FLOAT" for each in self.fields}

    @property
    def sources(self) -> tuple[str, ...]:
        """The columns of the data that its inputs were made from."""
        return tuple(dict.fromkeys(c.source for c in self.columns))

    @property
    def levels(self) -> tuple[int, ...]:
        """Levels of each column, 0 for a number, FLAG for a flag."""
        return tuple(FLAG if c.is_flag else len(c.levels) for c in self.columns)

    def only(self, names: tuple[str, ...]) -> Encoder:
        """The encoder of a few columns."""
        return Encoder(tuple(c for c in self.columns if c.name in names), self.target)

    def to_json(self) -> str:
        """The stored form."""
        return json.dumps(dataclasses.asdict(self))

    @staticmethod
    def from_json(text: str) -> Encoder:
        """Read the stored form."""
        record: dict[str, Any] = json.loads(text)
        columns, target = record["columns"], record["target"]
        for column in columns:
            column |= {name: tuple(column[name]) for name in ("edges", "spikes", "levels")}
        target |= {name: tuple(target[name]) for name in ("levels", "ends", "discounts", "numbers") if name in target}
        return Encoder(tuple(Column(**column) for column in columns), Target(**target))


@dataclass(frozen=True)
class Calibration:
    """Outputs → answers: a `slope` a part of the method, an `offset` an output, a power where a window was too short.

    For a binary label it is Platt scaling (Platt 1999). The probability of no event in the horizon is that of none in
    the window to the power of `power`: the cumulative hazard grows as time to the power of a Weibull shape. A number
    is multiplied by it: the mean grows as time to the power of a shape. Of a spend it is that shape: its outputs are of
    the horizon already.
    """

    slope: tuple[float, ...] = (1.0,)
    offset: tuple[float, ...] = (0.0,)
    power: float = 1.0
