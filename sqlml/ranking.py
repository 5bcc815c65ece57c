"""Several rankers together: which are taken and what each counts, whether items come again, and what is recommended."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import jax
import numpy as np
import scipy
from numpy.typing import NDArray

from sqlml.blending import LEAST_GAIN, Examples, blended, gain, ideal
from sqlml.errors import DataError, TrainingError
from sqlml.logs import Log
from sqlml.methods.base import Weights, one, part
from sqlml.methods.ranking import DECAY, MOST_DENSE, Points, Scores, Sparse
from sqlml.options import BehaviorOptions
from sqlml.search import Trial
from sqlml.tasks import RANKERS
from sqlml.training import Stage

SHARE, POPULARITY, REPEAT = "share", "popular.popularity", "repeat"
"""Stored with a method: what it counts. Stored once: what is popular, and whether items come again."""
MOST_TESTED, CANDIDATES = 4_000, 100
"""Customers that choices are made on; the best items of each method that the blend is fitted to tell apart."""
CELLS, CHUNKS_READ, MOST_READ = 1 << 22, 8, 2048
"""Scores held at once; histories that methods read together: of so many times as many scores, up to so many."""
LEAST_REPEATS = 0.02
"""The share of next steps that were had before from which repeats are recommended."""
POPULAR_SHARE = 1e-6
"""What popularity counts where nothing else tells items apart."""
SLACK = 1e-3
"""Scores are no different that differ by such a share."""
LEAST_DEVIATION = 1e-9
"""Scores that differ by less are all the same."""
UNSOLVED = (np.linalg.LinAlgError, TrainingError)
"""The data have no such solution in single precision."""
NO_SOLUTION = "Method {method} has no solution for these events. Another method may."
NEVER = np.iinfo(np.int32).max
"""The rank of what is never recommended."""


@dataclass(frozen=True)
class Blend:
    """What was chosen.

    Attributes:
        shares: Method → what its scores count, in units of their standard deviation over all items.
        decays: Method → how much less an event counts than the one after it; 1 where the method has none.
        is_repeat: Whether what a customer had is recommended again.
    """

    shares: Mapping[str, float]
    decays: Mapping[str, float]
    is_repeat: bool

    def only(self, method: str) -> Blend:
        """One method alone."""
        return Blend({method: 1.0}, {method: self.decays.get(method, 1.0)}, self.is_repeat)


@dataclass(frozen=True)
class Judged:
    """What validation found of one method: the NDCG of each customer with its best decay; of a blend with `shares`."""

    method: str
    decay: float
    gains: NDArray[np.float64]
    seconds: float
    shares: Mapping[str, float] = dataclasses.field(default_factory=dict)

    @property
    def ndcg(self) -> float:
        """Of all customers."""
        return float(self.gains.mean())


def choose(
    log: Log, options: BehaviorOptions, methods: Sequence[str], stage: Stage
) -> tuple[Blend, dict[str, Weights], list[Trial]]:
    """Fit methods to all but the last step of each history; what predicts that step best is taken.

    Gives what was chosen, every method as it was fitted, and what was tried.

    Args:
        log: What may be known.
        options: `method` is one of `methods`, `blend`, or `auto`: the best alone, or all together where that is better.
        methods: What is tried.
        stage: Name of a part of the training → what to call as it goes on.
    """
    past, last = log.without_last()
    known, truth = sample(past, last, options.seed, MOST_TESTED)
    tried = _possible(options, methods, log)
    popular = RANKERS["popular"].fit(past, options)
    fitted: dict[str, Weights] = {}
    judged: list[Judged] = []
    is_repeat = _is_repeat(options, known, truth)
    for method in tried:
        if method == "own" and not is_repeat and options.method != method:
            continue
        started = time.monotonic()
        try:
            weights = RANKERS[method].fit(past, options, stage(method))
        except UNSOLVED:
            continue
        each = _judge(method, {method: weights, "popular": popular}, known, truth, is_repeat=is_repeat)
        fitted[method] = {**weights, DECAY: one(each.decay)}
        judged.append(dataclasses.replace(each, seconds=time.monotonic() - started))
    if not judged:
        raise DataError(NO_SOLUTION.format(method=options.method))
    best = max(judged, key=lambda j: j.ndcg)
    chosen = Blend({best.method: 1.0}, {each.method: each.decay for each in judged}, is_repeat)
    if len(judged) > 1:
        blend = _blend(fitted, chosen, known, truth)
        judged.append(blend)
        if options.method == "blend" or (1 - LEAST_GAIN) * blend.ndcg > best.ndcg:
            chosen = dataclasses.replace(chosen, shares=blend.shares)
    return chosen, fitted, _trials(judged, chosen)


def fit(
    log: Log, options: BehaviorOptions, blend: Blend, begun: Mapping[str, Weights], stage: Stage
) -> dict[str, NDArray[np.float32]]:
    """The arrays of everything that the blend needs, and of what is popular; `begun` is what `choose` fitted."""
    methods = dict.fromkeys([*blend.shares, "knn", "popular"])
    try:
        fitted = {method: RANKERS[method].fit(log, options, stage(method), begun.get(method)) for method in methods}
    except UNSOLVED as error:
        raise DataError(NO_SOLUTION.format(method=", ".join(blend.shares))) from error
    return {REPEAT: one(blend.is_repeat), **combined(fitted, blend)}


def combined(fitted: Mapping[str, Weights], blend: Blend) -> dict[str, NDArray[np.float32]]:
    """Methods that were fitted one by one, as stored arrays; those of the blend with what they count."""
    found = {f"{method}.{name}": value for method, weights in fitted.items() for name, value in weights.items()}
    for method, share in blend.shares.items():
        found |= {f"{method}.{SHARE}": one(share), f"{method}.{DECAY}": one(blend.decays[method])}
    return found


class Blended:
    """A blend that is ready to score histories."""

    def __init__(self, weights: Mapping[str, NDArray[np.float32]], n_items: int) -> None:
        self._parts = []
        methods = [name.removesuffix(f".{SHARE}") for name in weights if name.endswith(f".{SHARE}")]
        for method in methods:
            mine = part(weights, method)
            self._parts.append((RANKERS[method].scorer(mine, n_items), mine[SHARE].item()))
        self._items: jax.Array | None = None
        self._start = POPULAR_SHARE * weights.get(POPULARITY, np.zeros(n_items, np.float32))[None]
        is_popularity = set(methods) == {"popular"}
        self.unasked = np.full(n_items, np.inf, np.float32) if is_popularity else self._start[0] * (1 + SLACK)
        """The score of each item (items,) where nothing is known of a customer but what is popular."""

    def __call__(self, log: Log) -> Iterator[tuple[NDArray[np.int64], Scores]]:
        """So many customers at a time, and the blended score of every item after their histories."""
        size = 1 << max((CELLS // max(log.n_items, 1)).bit_length() - 1, 0)
        together = min(size * CHUNKS_READ, MOST_READ)
        for start in range(0, len(log), together):
            read = log.of(np.arange(start, min(start + together, len(log))))
            linked = scipy.sparse.csr_array((len(read), log.n_items), dtype=np.float32)
            pointed = []
            for scorer, share in self._parts:
                found = _scaled(scorer(read), share)
                if isinstance(found, Points):
                    pointed.append(found)
                else:
                    linked += found
            histories, items = self._beside(pointed, len(read))
            for first in range(0, len(read), size):
                rows = slice(first, min(first + size, len(read)))
                total = linked[rows].toarray()
                total += _product(histories[rows], items)
                yield start + np.arange(first, rows.stop), total

    def _beside(self, found: Sequence[Points], n: int) -> tuple[Scores, jax.Array]:
        """Points of histories (customers, widths) and of items (widths, items): one product is the sum of scores."""
        if self._items is None:  # they are the same whatever the histories
            self._items = jax.device_put(np.concatenate([self._start, *(each.items.T for each in found)]))
        return np.concatenate([np.ones((n, 1), np.float32), *(each.histories for each in found)], 1), self._items


def ranks(scorer: Blended, blend: Blend, log: Log, truth: Log) -> list[NDArray[np.int64]]:
    """Of each customer the ranks of what came, best first, from 1; among equals the worst. NEVER of what is masked."""
    found: list[NDArray[np.int64]] = []
    for rows, scores in scorer(log):
        found += _ranks(masked(scores, log.of(rows), is_repeat=blend.is_repeat), truth.of(rows))
    return found


def masked(found: Scores, log: Log, *, is_repeat: bool) -> Scores:
    """Scores without what the customer had."""
    if not is_repeat:
        found[log.customers, log.items] = -np.inf
    return found


def _ranks(found: Scores, true: Log) -> Iterator[NDArray[np.int64]]:
    for row, (start, end) in enumerate(zip(true.starts, true.starts[1:], strict=False)):
        own = found[row, np.unique(true.items[start:end])]
        places = (~(found[row] < own[:, None])).sum(1)  # what cannot be compared stands before us
        yield np.sort(np.where(np.isfinite(own), places, NEVER))


def _possible(options: BehaviorOptions, methods: Sequence[str], log: Log) -> Sequence[str]:
    """The method that is asked for, or those that so many items and events allow."""
    if options.method in ("auto", "blend"):
        methods = [method for method in methods if RANKERS[method].least_events <= len(log.items)]
    else:
        methods = (options.method,)
    if log.words is None:
        methods = [method for method in methods if method != "content"]
    found = [method for method in methods if log.n_items <= MOST_DENSE or not RANKERS[method].is_dense]
    if not found and options.method == "content":
        raise DataError("Method content needs behavior.items with columns that say something of items, e.g. category.")
    if not found:
        raise DataError(
            f"Method {options.method} holds a matrix of items by items, for up to {MOST_DENSE:,} items; here are "
            f"{log.n_items:,}. No other but ease and directed has such a limit."
        )
    return found


def sample(past: Log, last: Log, seed: int, most: int) -> tuple[Log, Log]:
    """Up to so many of the customers that have a last step, and that step.

    Raises:
        DataError: Nobody has one.
    """
    customers = np.flatnonzero(last.lengths)
    if not len(customers):
        raise DataError(
            "No customer has events with items at two different moments: there is no next step to learn from."
        )
    if len(customers) > most:
        customers = np.sort(np.random.default_rng(seed).choice(customers, most, replace=False))
    return past.of(customers), last.of(customers)


def _is_repeat(options: BehaviorOptions, known: Log, truth: Log) -> bool:
    """As asked for, or where what was had is more than a small share of the next steps."""
    if options.repeat != "auto":
        return options.repeat == "true"
    had = known.seen[truth.customers, truth.items]
    return float(np.mean(had)) > LEAST_REPEATS


def _judge(method: str, fitted: Mapping[str, Weights], known: Log, truth: Log, *, is_repeat: bool) -> Judged:
    """With the decay that is best."""
    found = []
    for decay in RANKERS[method].decays or (1.0,):
        blend = Blend({method: 1.0}, {method: decay}, is_repeat)
        found.append(Judged(method, decay, _gains(fitted, blend, known, truth), 0))
    return max(found, key=lambda each: each.ndcg)


def _gains(fitted: Mapping[str, Weights], blend: Blend, known: Log, truth: Log) -> NDArray[np.float64]:
    """The normalised discounted cumulative gain of the first places, (customers,)."""
    found = ranks(Blended(combined(fitted, blend), known.n_items), blend, known, truth)
    return np.array([gain(each).sum() / ideal(len(each)) for each in found])


def _scaled(found: Sparse | Points, share: float) -> Sparse | Points:
    """Scores in units of the standard deviation of each row, times what they count."""
    if isinstance(found, Points):
        variance = ((found.histories @ found.spread) * found.histories).sum(1)
        return dataclasses.replace(found, histories=found.histories * _factors(variance, share)[:, None])
    n, lengths = found.shape[1], np.diff(found.indptr)
    squares = scipy.sparse.csr_array((found.data**2, found.indices, found.indptr), shape=found.shape).sum(1)
    factors = _factors(squares / n - (found.sum(1) / n) ** 2, share)
    return scipy.sparse.csr_array(
        (found.data * np.repeat(factors, lengths), found.indices, found.indptr), shape=found.shape
    )


def _product(histories: Scores, items: jax.Array) -> Scores:
    """By XLA, whose threads are shared by those that call: BLAS has its own for each."""
    padded = np.zeros((1 << max(len(histories) - 1, 0).bit_length(), histories.shape[1]), np.float32)
    padded[: len(histories)] = histories
    return np.asarray(_multiplied(padded, items))[: len(histories)]


@jax.jit
def _multiplied(histories: jax.Array, items: jax.Array) -> jax.Array:
    return histories @ items


def _factors(variance: Scores, share: float) -> Scores:
    deviation = np.sqrt(np.maximum(variance, 0))
    return (share / np.where(deviation > LEAST_DEVIATION, deviation, 1)).astype(np.float32)


def _blend(fitted: Mapping[str, Weights], chosen: Blend, known: Log, truth: Log) -> Judged:
    """All methods together, less those that are not missed."""
    started = time.monotonic()
    scorers = [Blended(combined({method: fitted[method]}, chosen.only(method)), known.n_items) for method in fitted]
    examples = _examples(scorers, known, truth, is_repeat=chosen.is_repeat)
    gains = np.zeros(len(known))
    shares, gains[examples.customers] = blended(list(fitted), examples)
    return Judged("blend", 1.0, gains, time.monotonic() - started, shares)


def _examples(scorers: Sequence[Blended], known: Log, truth: Log, *, is_repeat: bool) -> Examples:
    """The best items of all methods, of those that can be recommended, where one of them came true."""
    most = min(CANDIDATES, known.n_items)
    customers, scores, true, ideals = [], [], [], []
    for parts in zip(*(scorer(known) for scorer in scorers), strict=True):
        rows, found = parts[0][0], [each for _, each in parts]
        shown = [masked(each.copy(), known.of(rows), is_repeat=is_repeat) for each in found]
        best = [np.argpartition(-each, most - 1, 1)[:, :most] for each in shown]
        for row, customer in enumerate(rows):
            items = np.unique(np.concatenate([each[row] for each in best]))
            items = items[np.isfinite(shown[0][row, items])]
            came = np.unique(truth.items[truth.starts[customer] : truth.starts[customer + 1]])
            is_true = np.isin(items, came)
            if is_true.any():
                customers.append(customer)
                scores.append(np.stack([each[row, items] for each in found], 1))
                true.append(is_true)
                ideals.append(ideal(len(came)))
    starts = np.cumsum([0, *map(len, true)])[:-1]
    nothing = np.zeros((0, len(scorers)), np.float32)
    return Examples(
        np.array(customers, np.int64), starts, np.concatenate([nothing, *scores]),
        np.concatenate([np.zeros(0, bool), *true]), np.array(ideals),
    )  # fmt: skip


def _trials(judged: Sequence[Judged], chosen: Blend) -> list[Trial]:
    """What was tried, as it is stored; the loss is what is left of 1 by the NDCG."""
    name = "blend" if len(chosen.shares) > 1 else next(iter(chosen.shares))
    found = []
    for number, each in enumerate(judged, 1):
        options: dict[str, object] = {"method": each.method, "decay": each.decay}
        if each.shares:
            options = {"method": "blend", "shares": {m: round(s, 3) for m, s in each.shares.items()}}
        found.append(Trial(number, options, 1 - each.ndcg, each.seconds, each.method == name))
    return found
