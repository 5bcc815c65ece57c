"""k-means on what customers are expected to do: segments that tell the future apart.

A ridge regression learns, at earlier moments, what came after them: spend and orders, and the logarithms of both. Where
customers stand now on these four axes, each standardised, is the space. The axes as they are tell the few largest
customers from the rest, the logarithms tell the many small ones from those who left.
"""

from __future__ import annotations

import jax
import numpy as np
from numpy.typing import NDArray

from sqlml.encoding import Arrays
from sqlml.methods import centers, linear
from sqlml.methods.base import Weights
from sqlml.methods.centers import Segmenter
from sqlml.options import ModelOptions
from sqlml.training import Watch
from sqlml.transforms import Encoder

PENALTY = 3000.0
"""Strength of the ridge, in units of one example with standardised columns: with less the axes of two samples of the
same customers differ, and so do the segments."""


def learn(data: Arrays, encoder: Encoder, options: ModelOptions, watch: Watch) -> Weights:
    """Fit the four axes on the rows of which something of the future was observed."""
    known = linear.moments(data, encoder, is_raw=True)
    observed = data.at(np.flatnonzero(data.labels[:, 2] > 0))
    axes = {**known, **_ridge(_design(observed, known, encoder), observed.labels)}
    placed = _design(centers.segmented(data), known, encoder) @ axes["slope"]
    return {**axes, **centers.standard(placed.astype(np.float32))}


def embed(weights: Weights, inputs: jax.Array, levels: tuple[int, ...]) -> jax.Array:
    """The forecasts, (n, 4), standardised as they were when the model was made."""
    placed = linear.design(inputs, weights, levels).T @ weights["slope"]
    return (placed - weights["center"]) / weights["scale"]


def _design(data: Arrays, known: Weights, encoder: Encoder) -> NDArray[np.float64]:
    extra = linear.padded(len(data.inputs)) - len(data.inputs)
    filled = linear.compiled_design(np.pad(data.inputs, ((0, extra), (0, 0))), known, encoder.levels)
    return np.asarray(filled).T[: len(data.inputs)].astype(np.float64)


def _ridge(rows: NDArray[np.float64], labels: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """Slopes (columns, 4); a row counts by how much of its horizon is over."""
    weight = labels[:, 2].astype(np.float64)
    each = np.maximum(labels[:, :2].astype(np.float64), 0) / weight[:, None]
    each = each / np.maximum(np.average(each, axis=0, weights=weight), 1e-9)
    wanted = np.concatenate([each, np.log1p(each)], 1)
    wanted = wanted - np.average(wanted, axis=0, weights=weight)
    wanted = wanted / np.maximum(wanted.std(0), 1e-9)
    rows = rows - np.average(rows, axis=0, weights=weight)
    weighted = rows * weight[:, None]
    slope = np.linalg.solve(weighted.T @ rows + PENALTY * np.eye(rows.shape[1]), weighted.T @ wanted)
    return {"slope": slope.astype(np.float32)}


METHOD = Segmenter(learn, embed)
