"""The search over recipes: what is tried, judged on rows that a recipe was not trained on, and what wins."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from sqlml import options
from sqlml.errors import OptionError, TrainingError
from sqlml.options import QueryOptions

SPACE: Mapping[str, Sequence[object]] = {
    "learning_rate": (1e-3, 2e-3, 4e-3, 8e-3),
    "width": (32, 64, 128),
    "dropout": (0.0, 0.1, 0.2, 0.3),
    "weight_decay": (0.01, 0.1, 0.3),
    "bins": (8, 16, 32),
}
"""What search = 'random' draws from where no option is a list."""
MOST_RECIPES = 1000
LEVEL_DEVIATIONS, LEVEL_SHARE, CLOSE_SHARE = 1.64, 0.02, 0.005
"""Level: a loss larger by no more than chance and by at most 2 %. Close enough to choose the cheaper: at most 0.5 %."""
Kept = TypeVar("Kept")
Losses = NDArray[np.float32]


@dataclass(frozen=True)
class Trial:
    """One recipe that was tried: the options that vary, its loss on rows not trained on, and what it took."""

    number: int
    options: Mapping[str, object]
    loss: float
    seconds: float
    is_chosen: bool


@dataclass(frozen=True)
class Attempt(Generic[Kept]):
    """What came of a recipe: the loss of each row when it was not trained on, and whatever is worth keeping."""

    losses: Losses
    kept: Kept


def plan(values: Mapping[str, object]) -> list[QueryOptions]:
    """The recipes to try, the first as good as any: one, unless options are lists or search = 'random'.

    Raises:
        OptionError: A value is wrong, or a list is given for an option that takes one value.
    """
    lists = {name: list(value) for name, value in values.items() if options.is_list(value, QueryOptions, name)}
    chosen = options.make(QueryOptions, {name: value for name, value in values.items() if name not in lists})
    if lists and chosen.search == "none":
        raise OptionError(f"search = 'none', but several values are given for {', '.join(lists)}.")
    space: Mapping[str, Sequence[object]] = lists
    if chosen.search == "random" and not lists:
        space = {name: each for name, each in SPACE.items() if name not in values}
    count = int(np.prod([len(each) for each in space.values()]))
    if chosen.search != "random" and count > MOST_RECIPES:
        raise OptionError(
            f"The lists make {count:,} recipes; {MOST_RECIPES:,} are the most. search = 'random' draws some."
        )
    recipes = (dict(zip(space, each, strict=True)) for each in itertools.product(*space.values()))
    tried = list(recipes) if chosen.search != "random" else _drawn(space, count, chosen)
    return [options.make(QueryOptions, {**values, **recipe}) for recipe in tried]


def _drawn(space: Mapping[str, Sequence[object]], count: int, chosen: QueryOptions) -> list[dict[str, object]]:
    """Different recipes by chance."""
    numbers = random.Random(chosen.seed).sample(range(count), min(chosen.trials, count))
    shape = [len(each) for each in space.values()]
    places = [np.unravel_index(number, shape) for number in numbers]
    return [{name: space[name][int(i)] for name, i in zip(space, place, strict=True)} for place in places]


def expand(recipes: Sequence[QueryOptions], methods: Sequence[str]) -> list[QueryOptions]:
    """Method 'auto' becomes one recipe a method; the linear one is tried once, as no option that varies changes it."""
    tried = [replace(r, method=m) for r in recipes for m in (methods if r.method == "auto" else (r.method,))]
    return list({r if r.method == methods[0] else r.method: r for r in tried}.values())


def best(
    recipes: Sequence[QueryOptions],
    attempt: Callable[[QueryOptions, str], Attempt[Kept]],
    budget: float,
    prefers: str | None = None,
) -> tuple[QueryOptions, Attempt[Kept], list[Trial]]:
    """Try every recipe, none after `budget` seconds; (the one with the least loss, what came of it, all that ran).

    A recipe whose training fails is left out, unless none works.

    Args:
        recipes: At least one.
        attempt: (recipe, a title for the progress bar) → what came of it.
        budget: Seconds after which no further recipe is begun.
        prefers: A method to take where it is level with the best.
    """
    started = time.monotonic()
    ran: list[tuple[QueryOptions, Attempt[Kept], float]] = []
    for number, recipe in enumerate(recipes, 1):
        begun = time.monotonic()
        if ran and begun - started >= budget:
            break
        try:
            tried = attempt(recipe, f"recipe {number} of {len(recipes)}, " if len(recipes) > 1 else "")
        except TrainingError:
            if number == len(recipes) and not ran:
                raise
            continue
        ran.append((recipe, tried, time.monotonic() - begun))
    chosen = _chosen([(recipe, tried) for recipe, tried, _ in ran], prefers)
    varied = [name for name in options.tunable(QueryOptions) if len({getattr(r, name) for r in recipes}) > 1]
    trials = [
        Trial(i, {name: getattr(r, name) for name in varied}, float(tried.losses.mean()), seconds, r is chosen[0])
        for i, (r, tried, seconds) in enumerate(ran, 1)
    ]
    return *chosen, trials


def _chosen(
    ran: Sequence[tuple[QueryOptions, Attempt[Kept]]], prefers: str | None
) -> tuple[QueryOptions, Attempt[Kept]]:
    least = min(ran, key=lambda each: each[1].losses.mean())
    level = [each for each in ran if each[0].method == prefers and is_close(each[1].losses, least[1].losses)]
    return min(level, key=lambda each: each[1].losses.mean()) if level else least


def is_close(losses: Losses, least: Losses) -> bool:
    """Whether losses are so near the `least` that the cheaper model may be taken."""
    return is_level(losses, least, CLOSE_SHARE)


def is_level(losses: Losses, least: Losses, share: float = LEVEL_SHARE) -> bool:
    """Whether losses of the same rows are no worse than the `least`: by no more than chance, and by at most a share."""
    more = losses.astype(np.float64) - least
    chance = LEVEL_DEVIATIONS * more.std() / np.sqrt(len(more))
    return bool(more.mean() <= chance and more.mean() <= share * abs(float(least.mean())))
