"""Errors that say what was asked, what exists and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
"""Characters that steer a terminal, break a line, or turn the direction of what follows."""


class SqlmlError(Exception):
    """Base of every error that sqlml raises on purpose; its text is meant for the user, and plain."""

    def __init__(self, message: str = "") -> None:
        super().__init__(plain(message))


class StatementError(SqlmlError):
    """A statement of sqlml's own that cannot be read."""


class OptionError(SqlmlError):
    """An option that does not exist, or a value it cannot take."""


class ModelError(SqlmlError):
    """A model that is missing, exists already, or has a name it cannot have."""


class UnknownError(ModelError):
    """A model or a version that is missing."""


class ExistsError(ModelError):
    """A model that is there already."""


class DataError(SqlmlError):
    """Behaviour tables that break the contract, or hold too little to learn from."""


class TrainingError(SqlmlError):
    """Training that went wrong, with what to change."""


class CatalogError(SqlmlError):
    """A stored record that cannot be read or written."""


def plain(text: str) -> str:
    """A text that may hold names and values from elsewhere, with escapes for what a terminal would obey.

    >>> plain("red: \\x1b[31m")
    'red: \\\\x1b[31m'
    """
    return _UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def did_you_mean(asked: str, known: Iterable[str], kind: str) -> str:
    """The second half of an error: the nearest guess, and what exists.

    >>> did_you_mean("chrun", ["churn", "clv"], "models")
    ' Did you mean churn? Models: churn, clv.'
    """
    names = sorted(known)
    if not names:
        return f" There are no {kind}."
    close = get_close_matches(asked.lower(), names, n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    return f"{hint} {kind.capitalize()}: {', '.join(names)}."


def first_line(error: Exception) -> str:
    """What an error of DuckDB's says, without the place in a text that the user has not written."""
    return str(error).partition("\n")[0].rstrip(".!")
