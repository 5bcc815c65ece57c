"""The one idea of this folder: a method turns examples into a state, and a state into a function of a batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import jax
import numpy as np
from numpy.typing import NDArray

from sqlml.encoding import Arrays
from sqlml.options import ModelOptions
from sqlml.training import Watch
from sqlml.transforms import Encoder

Weights = Mapping[str, NDArray[np.float32]]
Forward = Callable[[Weights, jax.Array], jax.Array]


def one(value: float) -> NDArray[np.float32]:
    """A number as it is stored."""
    return np.array([value], np.float32)


def silent(epoch: int, epochs: int, loss: float) -> None:
    """A watch that shows nothing."""


@dataclass(frozen=True)
class State:
    """What a fitted method is made of: named arrays, and how long it took to train.

    `log` holds (training loss, stopping loss) of each epoch, NaN where there are no rows to stop on. A method that
    stops early has in `apart`, for each half of the rows it stopped on, the weights of the epoch that the other half
    chose: what these weights say of the half is of rows that neither trained nor stopped them.
    """

    weights: Weights
    epochs: int = 0
    log: tuple[tuple[float, float], ...] = field(default=())
    apart: tuple[Weights, ...] = ()


def part(weights: Weights, prefix: str) -> Weights:
    """The weights of one part of a composed method: those named `prefix.…`."""
    start = f"{prefix}."
    return {name.removeprefix(start): value for name, value in weights.items() if name.startswith(start)}


class Method(Protocol):
    """One way to learn a target from encoded columns."""

    def fit(
        self,
        data: Arrays,
        encoder: Encoder,
        options: ModelOptions,
        stop: Arrays | None = None,
        watch: Watch = silent,
    ) -> State:
        """Learn from `data`; with `stop`, rows to stop early on."""
        ...

    def forward(self, encoder: Encoder, options: ModelOptions) -> Forward:
        """(weights, inputs (n, columns)) → outputs (n, parts, size): pure and always the same object."""
        ...
