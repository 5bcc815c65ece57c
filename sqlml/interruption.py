"""`Connection.interrupt()` ends a training as it ends a query: what computes asks now and then whether to go on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_asked: ContextVar[threading.Event | None] = ContextVar("asked", default=None)


class StoppedError(Exception):
    """An interrupt was asked for."""


@contextmanager
def heeding(asked: threading.Event) -> Iterator[None]:
    """Within, in this thread and those that copy its context, `check` stops once the event is set."""
    token = _asked.set(asked)
    try:
        yield
    finally:
        _asked.reset(token)


def check() -> None:
    """Go on, unless an interrupt was asked for.

    Raises:
        StoppedError: It was.
    """
    asked = _asked.get()
    if asked is not None and asked.is_set():
        raise StoppedError
