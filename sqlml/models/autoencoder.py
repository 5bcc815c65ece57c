"""A multilayer perceptron that squeezes a row through a bottleneck, and clusters in that bottleneck.

Source of the clusters: Xie, Girshick & Farhadi 2016, Unsupervised deep embedding for clustering analysis (DEC, arXiv
1511.06335).
"""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp


class Layers(nn.Module):
    """Rows (n, columns) → (n, size), through one hidden layer."""

    width: int
    size: int

    @nn.compact
    def __call__(self, rows: jax.Array) -> jax.Array:
        """A hidden layer, then a linear one."""
        return nn.Dense(self.size)(nn.gelu(nn.Dense(self.width)(rows)))


class Autoencoder(nn.Module):
    """Rows (n, columns) → their reconstruction (n, columns)."""

    width: int
    bottleneck: int
    columns: int

    @nn.compact
    def __call__(self, rows: jax.Array, training: bool = False) -> jax.Array:
        """Encode and decode."""
        squeezed = Layers(self.width, self.bottleneck, name="encoder")(rows)
        return Layers(self.width, self.columns, name="decoder")(squeezed)


class SoftClusters(nn.Module):
    """Rows (n, columns) → the logarithms of how much each belongs to each of k clusters, (n, k), by Student's t."""

    width: int
    bottleneck: int
    k: int

    @nn.compact
    def __call__(self, rows: jax.Array, center: jax.Array, scale: jax.Array, training: bool = False) -> jax.Array:
        """Encode, standardise, compare with the centers."""
        squeezed = Layers(self.width, self.bottleneck, name="encoder")(rows)
        centers = self.param("centers", nn.initializers.zeros, (self.k, self.bottleneck))
        distances = ((((squeezed - center) / scale)[:, None] - centers) ** 2).sum(-1)
        return jax.nn.log_softmax(-jnp.log1p(distances))
