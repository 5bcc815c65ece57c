"""The calendar of training: which past moments become examples, what is rehearsed, what is too short."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlml.errors import DataError

MIN_WINDOW = 0.25
"""Least training window, as a share of the horizon."""
MIN_HISTORY = 0.5
"""Least history before a cut-off, as a share of the training window."""
PARTS = (0.75, 0.5, 2 / 3)
"""Where a part of the horizon tells something too: further windows that end at as_of, as shares of the longest."""

HORIZONS = (1, 3, 6, 12, *(24 * days for days in (1, 2, 3, 7, 14, 30, 60, 90)))
"""Horizons that are proposed, in hours."""


@dataclass(frozen=True)
class Calendar:
    """The cut-offs of one recipe, newest first.

    `window` is how long the future after a cut-off is observed, of later ones at most: the horizon, or less where data
    are too short.
    """

    as_of: datetime
    horizon: timedelta
    window: timedelta
    cutoffs: tuple[datetime, ...]
    lookback: timedelta

    @property
    def tested(self) -> datetime:
        """The newest cut-off whose whole window is over."""
        return max(c for c in self.cutoffs if c <= self.as_of - self.window)

    @property
    def is_short(self) -> bool:
        """Whether the label window had to be shorter than the horizon."""
        return self.window < self.horizon


def plan(
    first: datetime, as_of: datetime, horizon: timedelta, every: timedelta, most: int, *, is_partial: bool = False
) -> Calendar:
    """Cut-offs at `as_of - horizon` and further back while each keeps enough history.

    A cut-off needs a history of one horizon; the newest one may do with half a window. Where not even that fits, the
    window shrinks to two thirds of the data, down to a quarter of the horizon. With `is_partial` there are
    later cut-offs, of which a part of the window is over, where others are few, and as_of itself, to learn from the
    past alone.

    Raises:
        DataError: The data are too short even for that.
    """
    span = as_of - first
    window = min(horizon, span / (1 + MIN_HISTORY))
    if window < MIN_WINDOW * horizon:
        needed = MIN_WINDOW * (1 + MIN_HISTORY) * horizon + timedelta(days=1)
        raise DataError(
            f"The events span {days(span)} (from {first:%Y-%m-%d} to {as_of:%Y-%m-%d}): too short for a horizon of "
            f"{days(horizon)}, which needs at least {days(needed, floor=True)}. Choose a horizon of "
            f"{days(proposed(span))}, or bring older events."
        )
    fitting = (span - 2 * horizon) // every if window == horizon else 0
    cutoffs = [as_of - window - i * every for i in range(max(0, min(fitting, most - 1)) + 1)]
    if is_partial:
        cutoffs = [*cutoffs, *(as_of - part * window for part in PARTS)][:most]
        cutoffs = [as_of, *sorted(cutoffs, reverse=True)]
    return Calendar(as_of, horizon, window, tuple(cutoffs), cutoffs[-1] - first)


def proposed(span: timedelta) -> timedelta:
    """A horizon that data of this span can be learnt from and tested on: a round number, a quarter of them at most."""
    hours = span / timedelta(hours=4)
    return timedelta(hours=max((h for h in HORIZONS if h <= hours), default=1))


def rehearsal(
    first: datetime, calendar: Calendar, every: timedelta, most: int, *, is_partial: bool = False
) -> Calendar | None:
    """The same recipe with knowledge up to one horizon earlier, or None where data are too short for it."""
    known = calendar.as_of - calendar.horizon
    if known - first < (1 + MIN_HISTORY) * calendar.horizon:
        return None
    return plan(first, known, calendar.horizon, every, most, is_partial=is_partial)


def days(length: timedelta, *, floor: bool = False) -> str:
    """A length of time for people: `91 days`, `36 hours`."""
    hours = length / timedelta(hours=1)
    number, unit = (hours / 24, "day") if length >= timedelta(days=2) else (hours, "hour")
    shown = int(number) if floor else round(number)
    return f"{shown} {unit}" + ("" if shown == 1 else "s")
