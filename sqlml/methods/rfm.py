"""RFM: quintiles of recency, frequency and monetary value, and the classic segments made of them.

Source: Hughes 1994, Strategic database marketing (the quintiles); the map of two scores to ten segments is the one in
general use. A score is 1 to 5, 5 the best: of recency, and of frequency and monetary value together (their mean,
rounded up; of frequency alone where there are no amounts).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from sqlml.clustering import Labels
from sqlml.encoding import Arrays
from sqlml.methods import centers
from sqlml.methods.base import Weights
from sqlml.methods.centers import CENTERS, Segmenter
from sqlml.options import ModelOptions
from sqlml.training import Watch
from sqlml.transforms import Encoder

COLUMNS = ("recency_days", "n_active_days", "amount_total")
NAMES = (
    "champions",
    "loyal customers",
    "potential loyalists",
    "new customers",
    "promising",
    "need attention",
    "about to sleep",
    "at risk",
    "cannot lose them",
    "hibernating",
)
MAP = (
    (10, 10, 8, 8, 9),
    (10, 10, 8, 8, 9),
    (7, 7, 6, 2, 2),
    (5, 3, 3, 2, 2),
    (4, 3, 3, 1, 1),
)
"""The number of the segment by the score of recency (rows, 1 first) and of frequency and monetary value."""
FIFTHS = (0.2, 0.4, 0.6, 0.8)


def learn(data: Arrays, encoder: Encoder, options: ModelOptions, watch: Watch) -> Weights:
    """The quintiles (3, 4) among the rows that are segmented, and where the columns are, -1 for one that is not."""
    place = [encoder.names.index(name) if name in encoder.names else -1 for name in COLUMNS]
    values = centers.segmented(data).inputs
    edges = [np.quantile(np.nan_to_num(values[:, p]), FIFTHS) if p >= 0 else np.zeros(4) for p in place]
    return {"edges": np.array(edges, np.float32), "place": np.array(place, np.float32)}


def embed(weights: Weights, inputs: jax.Array, levels: tuple[int, ...]) -> jax.Array:
    """A column of 0 and 1 for each segment, (n, 10)."""
    place = jnp.asarray(weights["place"]).astype(jnp.int32)
    values = jnp.where(place >= 0, jnp.nan_to_num(inputs[:, place]), 0.0)
    score = 1 + (values[:, :, None] > weights["edges"]).sum(-1)
    recency, frequency, monetary = 6 - score[:, 0], score[:, 1], score[:, 2]
    worth = jnp.where(place[2] >= 0, (frequency + monetary + 1) // 2, frequency)
    return jax.nn.one_hot(jnp.asarray(MAP)[recency - 1, worth - 1] - 1, len(NAMES))


def refine(
    space: Weights, data: Arrays, encoder: Encoder, options: ModelOptions, watch: Watch, old: Labels | None
) -> Weights:
    """The segments are given: each is its own center."""
    return {**space, CENTERS: np.eye(len(NAMES), dtype=np.float32)}


METHOD = Segmenter(learn, embed, refine)
