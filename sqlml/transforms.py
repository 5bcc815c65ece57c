"""What runs inside the forward pass before and after the net: the encoder of columns and the calibrator of scores.

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


@dataclass(frozen=True)
class Target:
    """What a label is and what outputs mean.

    Attributes:
        kind: `binary`: one logit. `classes`: a logit a class. `value`: a standardised number. `amount`: the logarithm
            of the mean of a non-negative number, in units of `scale`.
        levels: The classes in the order of their codes, as text; of a binary label the last is the positive one.
        center: Mean of a `value`.
        scale: Standard deviation of a `value`, mean of an `amount`.
    """

    kind: str = "binary"
    levels: tuple[str, ...] = ()
    center: float = 0.0
    scale: float = 1.0

    @property
    def size(self) -> int:
        """Outputs a row."""
        return len(self.levels) if self.kind == "classes" else 1


@dataclass(frozen=True)
class Column:
    """One input of a model, as fitted on the training rows.

    `source` is the column of the data that it was made from, `expression` SQL over the raw columns. A number has
    `edges` (ascending, at least two, quantiles of the training rows) and the `mean` and `deviation` of its signed
    logarithm; a category has `levels`, coded from 1.
    """

    name: str
    source: str
    expression: str
    edges: tuple[float, ...] = ()
    levels: tuple[str, ...] = ()
    mean: float = 0.0
    deviation: float = 1.0

    @property
    def is_category(self) -> bool:
        """Whether the column holds codes of levels."""
        return bool(self.levels)

    @property
    def rows(self) -> int:
        """Rows of its lookup table: knots or codes, and a last one for missing."""
        return (len(self.levels) + 1 if self.is_category else len(self.edges)) + 1


class Layout(NamedTuple):
    """The encoder as arrays, shape (columns, rows) or (columns,): what changes from fit to fit of one set of columns.

    `steps` is 1 where a row of the lookup table adds to the row before (numbers), 0 where it stands alone.
    """

    edges: Matrix
    last: NDArray[np.int32]
    steps: Matrix
    mean: Matrix
    deviation: Matrix


@dataclass(frozen=True)
class Encoder:
    """The fitted columns, in the order of the batch, and the label."""

    columns: tuple[Column, ...]
    target: Target = field(default_factory=Target)

    @property
    def names(self) -> tuple[str, ...]:
        """Field names of the struct that a UDF receives."""
        return tuple(c.name for c in self.columns)

    @property
    def rows(self) -> int:
        """Rows of the largest lookup table."""
        return max((c.rows for c in self.columns), default=1)

    @cached_property
    def layout(self) -> Layout:
        """Arrays for the forward pass; codes of a category act as knots 0, 1, 2 and so on."""
        edges = np.full((len(self.columns), self.rows), np.inf, np.float32)
        for i, column in enumerate(self.columns):
            knots = range(len(column.levels) + 1) if column.is_category else column.edges
            edges[i, : column.rows - 1] = knots
        last = np.array([c.rows - 2 for c in self.columns], np.int32)
        row, is_category = np.arange(self.rows)[None], np.array([c.is_category for c in self.columns])
        return Layout(
            edges=edges,
            last=last,
            steps=(~is_category[:, None] & (row > 0) & (row <= last[:, None])).astype(np.float32),
            mean=np.array([c.mean for c in self.columns], np.float32),
            deviation=np.array([c.deviation for c in self.columns], np.float32),
        )

    @property
    def sources(self) -> tuple[str, ...]:
        """The columns of the data that its inputs were made from."""
        return tuple(dict.fromkeys(c.source for c in self.columns))

    @property
    def levels(self) -> tuple[int, ...]:
        """Levels of each column, 0 for a number."""
        return tuple(len(c.levels) for c in self.columns)

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
            column |= {"edges": tuple(column["edges"]), "levels": tuple(column["levels"])}
        target["levels"] = tuple(target["levels"])
        return Encoder(tuple(Column(**column) for column in columns), Target(**target))


@dataclass(frozen=True)
class Calibration:
    """Outputs → answers: a `slope` a part of the method, an `offset` an output, a power where a window was too short.

    For a binary label it is Platt scaling (Platt 1999). The probability of no event in the horizon is that of none in
    the window to the power of `power`: the cumulative hazard grows as time to the power of a Weibull shape.
    """

    slope: tuple[float, ...] = (1.0,)
    offset: tuple[float, ...] = (0.0,)
    power: float = 1.0
