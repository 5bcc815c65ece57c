"""k-means, and what is asked of clusters: whether two partitions agree, whether clusters lie apart."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float32]
Labels = NDArray[np.int64]
Array = TypeVar("Array", jax.Array, NDArray[np.float32])
MOST_CLUSTERS = 50
STARTS, STEPS, TOLERANCE = 8, 100, 1e-4
ROOM = 8
"""Arrays hold room for a multiple of so many centers: few shapes, few compilations."""
SMALLEST_ARRAY, CHUNK = 1024, 1 << 16
MOST_POINTS = 2000
"""What a silhouette is measured on, for it compares all pairs."""


class _Found(NamedTuple):
    """Centers (room, d), of which some are in use, how many points each has, and the sum of squared distances."""

    centers: jax.Array
    is_used: jax.Array
    counts: jax.Array
    inertia: jax.Array


def kmeans(points: Points, k: int, least: int = 1, seed: int = 0, old: Labels | None = None) -> Points:
    """The centers of the best of several starts by k-means++ (Arthur & Vassilvitskii 2007), refined by Lloyd's steps.

    Args:
        points: Shape (n, d).
        k: How many centers.
        least: A center with fewer points is given up, and one more tried for it.
        seed: Of the starts.
        old: Labels (n,) to start from instead, 0 of none; they count where there are `k` of them.

    Returns:
        Shape (k, d), or fewer where the points do not fall into k clusters of at least `least`.
    """
    filled, is_point = _padded(points)
    best: Points = points.mean(0, keepdims=True)
    levels = np.unique(old[old > 0]) if old is not None else np.zeros(0)
    for tried in range(k, min(2 * k, MOST_CLUSTERS) + 1):
        if tried == k == len(levels):
            start = np.stack([points[old == level].mean(0) for level in levels])
            found = _refined(filled, is_point, jnp.asarray(start), jnp.ones(k, bool))
        else:
            found = _best(filled, is_point, tried, seed)
        while (smallest := _smallest(found, least, k)) is not None:
            is_used = np.array(found.is_used)
            is_used[smallest] = False
            found = _refined(filled, is_point, found.centers, jnp.asarray(is_used))
        centers = np.asarray(found.centers)[np.asarray(found.is_used)]
        best = centers if len(centers) > len(best) else best
        if len(best) == k:
            break
    return best


def nearest(points: Points, centers: Points) -> Labels:
    """The center that each point is nearest to, (n,)."""
    starts = range(0, len(points), CHUNK)
    found = [np.asarray(_distances(points[i : i + CHUNK], centers)).argmin(1) for i in starts]
    return np.concatenate(found) if found else np.zeros(0, np.int64)


def agreement(one: Labels, other: Labels) -> float:
    """The adjusted Rand index of two partitions (n,) (Hubert & Arabie 1985): 1 is the same, 0 is chance."""
    table = _overlaps(one, other)
    pairs, rows, columns = (
        float((n * (n - 1) / 2).sum()) for n in (table, table.sum(1, keepdims=True), table.sum(0, keepdims=True))
    )
    chance = rows * columns / max(len(one) * (len(one) - 1) / 2, 1)
    most = (rows + columns) / 2
    return (pairs - chance) / (most - chance) if most != chance else 1.0


def _overlaps(one: Labels, other: Labels) -> NDArray[np.float64]:
    """How many points have each pair of labels, the labels in ascending order: (labels of one, labels of other)."""
    rows, columns = (np.unique(labels, return_inverse=True)[1] for labels in (one, other))
    table = np.zeros((rows.max() + 1, columns.max() + 1))
    np.add.at(table, (rows, columns), 1)
    return table


def silhouette(points: Points, labels: Labels) -> float:
    """How much nearer points are to their own cluster than to the next, on average (Rousseeuw 1987), from -1 to 1.

    Of many points it is that of a part, evenly chosen.
    """
    chosen = np.linspace(0, len(points) - 1, min(len(points), MOST_POINTS)).astype(int)
    points, (levels, place) = points[chosen], np.unique(labels[chosen], return_inverse=True)
    if len(levels) == 1:
        return 0.0
    distances = np.sqrt(np.asarray(_distances(points, points)).clip(0)).astype(np.float64)
    members = np.eye(len(levels))[place]
    sums, sizes = distances @ members, members.sum(0)
    own = sums[np.arange(len(points)), place] / np.maximum(sizes[place] - 1, 1)
    other = np.where(members > 0, np.inf, sums / sizes).min(1)
    widths = np.where(sizes[place] > 1, (other - own) / np.maximum(np.maximum(own, other), 1e-12), 0.0)
    return float(widths.mean())


def davies_bouldin(points: Points, labels: Labels) -> float:
    """The mean, over clusters, of the worst ratio of widths to distance (Davies & Bouldin 1979): less is better."""
    levels = np.unique(labels)
    if len(levels) == 1:
        return 0.0
    centers = np.stack([points[labels == each].mean(0) for each in levels]).astype(np.float64)
    width = np.array(
        [np.linalg.norm(points[labels == e] - c, axis=1).mean() for e, c in zip(levels, centers, strict=True)]
    )
    distance = np.linalg.norm(centers[:, None] - centers, axis=2)
    np.fill_diagonal(distance, np.inf)
    return float(((width[:, None] + width) / np.maximum(distance, 1e-12)).max(1).mean())


def _padded(points: Points) -> tuple[jax.Array, jax.Array]:
    """The points filled up to a power of two, and which of the rows are points."""
    extra = max(SMALLEST_ARRAY, 1 << (len(points) - 1).bit_length()) - len(points)
    return jnp.pad(jnp.asarray(points), ((0, extra), (0, 0))), jnp.arange(len(points) + extra) < len(points)


def _smallest(found: _Found, least: int, k: int) -> int | None:
    """The center to give up: one with too few points, or the smallest of too many."""
    counts = np.where(found.is_used, found.counts, np.inf)
    is_over = counts.min() < least or int(found.is_used.sum()) > k
    return int(counts.argmin()) if is_over and int(found.is_used.sum()) > 1 else None


def _best(points: jax.Array, is_point: jax.Array, k: int, seed: int) -> _Found:
    room = -(-k // ROOM) * ROOM
    is_used = jnp.arange(room) < k
    keys = jax.random.split(jax.random.PRNGKey(seed), STARTS)
    found = [_refined(points, is_point, _start(key, points, is_point, room), is_used) for key in keys]
    return min(found, key=lambda each: float(each.inertia))


def _distances(points: Array, centers: Array) -> Array:
    """Squared distances, (n, centers)."""
    return (points**2).sum(1)[:, None] - 2 * points @ centers.T + (centers**2).sum(1)


@partial(jax.jit, static_argnames="room")
def _start(key: jax.Array, points: jax.Array, is_point: jax.Array, room: int) -> jax.Array:
    """Centers (room, d), each drawn with a probability that grows with the squared distance to those before."""

    def draw(i: jax.Array, carry: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        centers, distance = carry
        chances = jnp.where(is_point, jnp.log(jnp.maximum(distance, 1e-30)), -jnp.inf)
        center = points[jax.random.categorical(jax.random.fold_in(key, i), chances)]
        return centers.at[i].set(center), jnp.minimum(distance, ((points - center) ** 2).sum(1))

    start = jnp.zeros((room, points.shape[1])), jnp.ones(len(points))
    first = draw(jnp.asarray(0), start)[0]
    carry = first, ((points - first[0]) ** 2).sum(1)
    return jax.lax.fori_loop(1, room, draw, carry)[0]


@jax.jit
def _refined(points: jax.Array, is_point: jax.Array, centers: jax.Array, is_used: jax.Array) -> _Found:
    """Lloyd's steps until no center moves."""

    def assign(centers: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        distances = jnp.where(is_used, _distances(points, centers), jnp.inf)
        members = jax.nn.one_hot(distances.argmin(1), len(centers)) * is_point[:, None]
        return members.T @ points, members.sum(0), (jnp.maximum(distances.min(1), 0) * is_point).sum()

    def step(carry: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array, jax.Array]:
        centers, _, i = carry
        sums, counts, _ = assign(centers)
        moved = jnp.where(counts[:, None] > 0, sums / jnp.maximum(counts, 1)[:, None], centers)
        return moved, jnp.abs(moved - centers).max(), i + 1

    def goes_on(carry: tuple[jax.Array, jax.Array, jax.Array]) -> jax.Array:
        return (carry[1] > TOLERANCE) & (carry[2] < STEPS)

    centers, _, _ = jax.lax.while_loop(goes_on, step, (centers, jnp.asarray(jnp.inf), jnp.asarray(0)))
    _, counts, inertia = assign(centers)
    return _Found(centers, is_used, counts, inertia)
