"""Rows of inputs → points on a plane, for people to look at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sqlml.transforms import Encoder

MOST = 10.0
"""Standard deviations beyond which a value is drawn no further out."""


def plane(kind: str, inputs: NDArray[np.float32], encoder: Encoder) -> NDArray[np.float64]:
    """Points (n, 2) of inputs (n, columns): their principal components, or t-SNE (van der Maaten & Hinton 2008).

    Raises:
        ImportError: t-SNE needs scikit-learn.
    """
    rows = np.concatenate(_standard(inputs, encoder), 1)
    if kind == "tsne":
        from sklearn.manifold import TSNE  # noqa: PLC0415

        found: NDArray[np.float64] = TSNE(init="pca", random_state=0).fit_transform(rows).astype(np.float64)
        return found
    centred = rows - rows.mean(0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    first = axes[:2] * np.sign(axes[:2, np.abs(axes[:2]).argmax(1)].diagonal())[:, None]  # a sign is by chance
    return np.pad(centred @ first.T, ((0, 0), (0, 2 - len(first))))


def _standard(inputs: NDArray[np.float32], encoder: Encoder) -> Sequence[NDArray[np.float64]]:
    """Standardised signed logarithms of numbers, what is missing in the middle; a column a level."""
    found = []
    for values, column in zip(inputs.T.astype(np.float64), encoder.columns, strict=True):
        if column.is_category:
            found.append((values[:, None] == np.arange(1, len(column.levels) + 1)).astype(np.float64))
        else:
            scaled = (np.sign(values) * np.log1p(np.abs(values)) - column.mean) / column.deviation
            found.append(np.where(np.isfinite(scaled), np.clip(scaled, -MOST, MOST), 0.0)[:, None])
    return found
