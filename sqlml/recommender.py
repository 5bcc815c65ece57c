"""A stored recommender: Arrow arrays of histories and items → what is recommended, wanted or similar."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping
from functools import cached_property
from weakref import WeakValueDictionary

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy
from numpy.typing import NDArray

from sqlml import ranking
from sqlml.errors import ModelError
from sqlml.logs import Log
from sqlml.methods import ials
from sqlml.methods.base import Weights, part
from sqlml.methods.ranking import DECAY, Scores, decayed, links
from sqlml.methods.sequence import NextItems
from sqlml.ranking import masked
from sqlml.tasks import RANKERS
from sqlml.udf import Answer

BLOCK = 16
"""Items of which the best is looked at first."""
MOST_REMEMBERED = 256
"""Sets of candidates, of statements that run at the same time."""
REASONS = 5
"""The latest so many events may be the reason of a recommendation."""
POPULAR, AGAIN, ALIKE, BECAUSE = "popular", "again", "customers like this one", "because of "
SIMILAR = "knn"
"""The method whose links say what is similar, and where no other has links, what a recommendation follows from."""
Integers = NDArray[np.integer]
_EVENTS = pa.struct({"events": pa.list_(pa.struct({"item": pa.string(), "weight": pa.float32(), "age": pa.float64()}))})


class Recommender:
    """The functions of one version. Threads share it: all that changes is what is remembered of candidates.

    Args:
        weights: What `ranking.fit` made.
        items: The items in the order of their codes, as text.
    """

    def __init__(self, weights: Weights, items: tuple[str, ...]) -> None:
        self._weights, self._items = weights, pa.array(items, pa.string())
        self._scorer = ranking.Blended(weights, len(items))
        self._among: dict[int, NDArray[np.bool_]] = {}
        self._lock = threading.Lock()

    def items(self, histories: pa.StructArray, asked: pa.Array) -> pa.Array:
        """The best items of each history, best first, as lists of (item_id, score, reason).

        `asked` says how many, NULL for NULL, and among which; `candidates` gave the name of these.
        """
        asked, among = asked.field("k"), asked.field("among")
        left_out = None if among[0].as_py() is None else ~self._among[among[0].as_py()]
        log, most = self._log(histories), np.maximum(asked.fill_null(0).to_numpy(zero_copy_only=False), 0)
        parts = []
        for rows, scores in self._scorer(log):
            shown = masked(scores, log.of(rows), is_repeat=self._is_repeat)
            if left_out is not None:
                shown[:, left_out] = -np.inf
            parts.append(_best(shown, int(most.max(initial=1))))
        places, values = (np.concatenate(each) for each in zip(*parts, strict=True))
        is_shown = np.isfinite(values) & (np.arange(places.shape[1]) < most[:, None])
        rows = np.nonzero(is_shown)[0]
        chosen = places[is_shown]
        found = {"item_id": self._items.take(pa.array(chosen)), "score": pa.array(values[is_shown]),
                 "reason": self._reasons(log, rows, chosen, values[is_shown])}  # fmt: skip
        return _lists(pa.StructArray.from_arrays(list(found.values()), list(found)), is_shown.sum(1), asked)

    def candidates(self, items: pa.Array, _: pa.Array) -> pa.Array:
        """Remember which items are among each list, and give that a name."""
        names = []
        for listed in items:
            mask = np.zeros(len(self._items), bool)
            codes = self._codes(listed.values if listed.is_valid else pa.array([], pa.string()))
            mask[codes[codes >= 0]] = True
            name = int.from_bytes(hashlib.blake2b(mask.tobytes(), digest_size=7).digest(), "big")
            with self._lock:
                self._among.pop(name, None)  # what is asked for again becomes the newest
                self._among[name] = mask
                while len(self._among) > MOST_REMEMBERED:
                    del self._among[next(iter(self._among))]
            names.append(name)
        return pa.array(names, pa.int64())

    def affinities(self, histories: pa.StructArray, asked: pa.Array) -> pa.Array:
        """The score of one item after each history; NULL of an item that was not known to the training."""
        log = self._log(histories)
        places = self._codes(asked)
        columns = np.maximum(places, 0)
        parts = [scores[np.arange(len(rows)), columns[rows]] for rows, scores in self._scorer(log)]
        return pa.array(np.concatenate(parts), pa.float32(), mask=places < 0)

    def similar(self, asked: pa.Array, counts: pa.Array) -> pa.Array:
        """The items that go with each item, nearest first, as lists of (item_id, score); NULL of an unknown one."""
        places, most = self._codes(asked), counts.fill_null(0).to_numpy(zero_copy_only=False)
        near = self._near
        found: list[tuple[Integers, NDArray[np.float32]]] = []
        for place, n in zip(places, most, strict=True):
            row = slice(near.indptr[place], near.indptr[place + 1]) if place >= 0 else slice(0)
            order = np.argsort(-near.data[row], kind="stable")[: max(n, 0)]
            found.append((near.indices[row][order], near.data[row][order]))
        items, values = (np.concatenate(each) for each in zip(*found, strict=True))
        listed = pa.StructArray.from_arrays(
            [self._items.take(pa.array(items)), pa.array(values, pa.float32())], ["item_id", "score"]
        )
        is_known = pa.array(places >= 0)
        return _lists(listed, np.array([len(each) for each, _ in found]), pc.if_else(is_known, counts, None))

    @property
    def _is_repeat(self) -> bool:
        return bool(self._weights[ranking.REPEAT].item())

    def _log(self, histories: pa.StructArray) -> Log:
        """Histories as arrays; items that the training did not know are left out."""
        lists = histories.field("events")
        if histories.null_count:
            lists = pc.if_else(histories.is_valid(), lists, None)
        lengths = pc.list_value_length(lists).fill_null(0).to_numpy(zero_copy_only=False)
        events = lists.flatten()
        codes = self._codes(events.field("item"))
        starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        weights, ages = (events.field(name).to_numpy(zero_copy_only=False) for name in ("weight", "age"))
        log = Log(starts, codes.astype(np.int32), weights.astype(np.float32), ages, len(self._items))
        return log.where(codes >= 0)

    def _codes(self, items: pa.Array) -> Integers:
        """The code of each item, -1 of an unknown one."""
        return pc.index_in(items, value_set=self._items).fill_null(-1).to_numpy(zero_copy_only=False)

    @cached_property
    def _near(self) -> scipy.sparse.csr_array:
        return links(part(self._weights, SIMILAR), len(self._items))

    @cached_property
    def _causes(self) -> tuple[scipy.sparse.csr_array, float]:
        """The links that weigh most in the blend, and how much less an event counts than the one after it."""
        shares = {name.partition(".")[0]: value.item() for name, value in self._weights.items()
                  if name.endswith(f".{ranking.SHARE}")}  # fmt: skip
        linked = [method for method in shares if f"{method}.values" in self._weights and method != "own"]
        method = max(linked, key=lambda m: shares[m], default=SIMILAR)
        mine = part(self._weights, method)
        return links(mine, len(self._items)), float(mine[DECAY].item())

    def _reasons(self, log: Log, rows: Integers, chosen: Integers, scores: Scores) -> pa.Array:
        """Why each item (pairs,) with its score is recommended to the customer of its row."""
        if not len(rows):
            return pa.array([], pa.string())
        if not len(log.items):
            return pa.array([POPULAR] * len(rows), pa.string())
        matrix, decay = self._causes
        counts = log.weights * decayed(log, decay)
        strongest, cause = np.zeros(len(rows), np.float32), np.full(len(rows), -1)
        for back in range(REASONS):
            places = log.starts[rows + 1] - 1 - back
            is_there = places >= log.starts[rows]
            places = np.where(is_there, places, 0)
            events = log.items[places]
            led = np.asarray(matrix[events, chosen]).ravel() * counts[places] * is_there
            is_more = led > strongest
            strongest, cause = np.where(is_more, led, strongest), np.where(is_more, events, cause)
        named = pc.binary_join_element_wise(BECAUSE, self._items.take(pa.array(np.maximum(cause, 0))), "")
        is_seen = np.asarray(log.seen[rows, chosen]).ravel() > 0
        is_popular = (log.lengths[rows] == 0) | (scores <= self._scorer.unasked[chosen])
        reasons = pc.if_else(pa.array(cause >= 0), named, ALIKE)
        return pc.if_else(pa.array(is_seen), AGAIN, pc.if_else(pa.array(is_popular), POPULAR, reasons))


def _best(found: Scores, most: int) -> tuple[Integers, Scores]:
    """Places and values of the largest scores of each row, in order: those of the blocks whose largest are largest.

    A block is every so manieth item. Of equal scores the first block's come first, and of one block the first.
    """
    blocks = -(-found.shape[1] // BLOCK)
    space = (0, 0), (0, blocks * BLOCK - found.shape[1])
    found = np.pad(found, space, constant_values=-np.inf).reshape(len(found), BLOCK, blocks)
    chosen = _largest(found.max(1), most)[:, :, None]
    inner = np.take_along_axis(found.transpose(0, 2, 1), chosen, 1).reshape(len(found), -1)
    best = _largest(inner, most)
    values = np.take_along_axis(inner, best, 1)
    order = np.argsort(-values, 1, kind="stable")
    places = np.take_along_axis(chosen[:, :, 0], best // BLOCK, 1) + best % BLOCK * blocks
    return np.take_along_axis(places, order, 1), np.take_along_axis(values, order, 1)


def _largest(values: NDArray[np.float32], most: int) -> Integers:
    """The columns of the largest values of each row, in order, (rows, most); of equal ones the first."""
    if most >= values.shape[1]:
        return np.tile(np.arange(values.shape[1]), (len(values), 1))
    values = np.where(np.isnan(values), -np.inf, values)
    last = values.shape[1] - most
    least = np.partition(values, last, 1)[:, last : last + 1]
    is_more, is_least = values > least, values == least
    is_more |= is_least & (is_least.cumsum(1) <= most - is_more.sum(1, keepdims=True))
    return np.nonzero(is_more)[1].reshape(len(values), most)


def _lists(values: pa.Array, lengths: Integers, known: pa.Array) -> pa.Array:
    """Values as lists of these lengths, NULL where `known` is."""
    ends = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    mask = known.is_null() if known.null_count else None
    return pa.ListArray.from_arrays(pa.array(ends), values, mask=mask)


def require_sound(weights: Weights, items: tuple[str, ...]) -> None:
    """Check arrays from elsewhere: nothing in them may point beyond what there is.

    Raises:
        ModelError: One does.
    """
    n = len(items)
    for method in {name.partition(".")[0] for name in weights if "." in name}:
        mine = part(weights, method)
        if method not in RANKERS:
            raise ModelError(f"there is no method {method}")
        if "starts" in mine:
            _require_sparse(method, mine, n)
        ranker = RANKERS[method]
        if isinstance(ranker, NextItems):
            _require_shapes(method, mine, ranker.shapes(n))
        sizes = {len(mine[name]) for name in ("popularity", "rarity", "factors") if name in mine}
        if "factors" in mine and mine["factors"].shape[1:] != (ials.FACTORS,):
            raise ModelError(f"its factors are of the shape {mine['factors'].shape}")
        if sizes - {n}:
            raise ModelError(f"its {method} is of {max(sizes - {n}):,} items, not of {n:,}")
    nobody = pa.array([None, {"events": [{"item": items[0], "weight": 1.0, "age": 0.0}]}], _EVENTS)
    asked = pa.array([{"k": 1, "among": None}] * 2, pa.struct({"k": pa.int32(), "among": pa.int64()}))
    found = Recommender(weights, items)
    found.items(nobody, asked)
    found.affinities(nobody, pa.array([items[0]] * 2))
    found.similar(pa.array([items[0]]), pa.array([1], pa.int32()))


def _require_shapes(method: str, mine: Weights, shapes: Mapping[str, tuple[int, ...]]) -> None:
    for name, shape in shapes.items():
        found = mine[name].shape if name in mine else None
        if found != shape:
            raise ModelError(f"its {method} has {name} of the shape {found}, not {shape}")


def _require_sparse(method: str, mine: Weights, n: int) -> None:
    starts, places = mine["starts"], mine["items"]
    if any(each.ndim != 1 or each.dtype != np.int32 for each in (starts, places)) or not len(starts):
        raise ModelError(f"its {method} is not made of whole numbers")
    is_sorted = starts[0] == 0 and starts[-1] == len(places) and bool((np.diff(starts) >= 0).all())
    is_within = not len(places) or (places.min() >= 0 and places.max() < n)
    is_whole = mine.get("strength", places).shape == places.shape
    is_square = "values" not in mine or (mine["values"].shape == places.shape and len(starts) == n + 1)
    if not (is_sorted and is_within and is_square and is_whole):
        raise ModelError(f"its {method} points beyond the items that there are")


_live: WeakValueDictionary[str, Recommender] = WeakValueDictionary()
"""By the id of their version: its functions share one."""
_lock = threading.Lock()


def answers(version_id: str, load: Callable[[], Weights], items: tuple[str, ...], asked: str) -> Answer:
    """The function of a stored recommender by its name: `items`, `affinities`, `similar` or `candidates`."""
    with _lock:
        found = _live.get(version_id) or Recommender(load(), items)
        _live[version_id] = found
    return getattr(found, asked)
