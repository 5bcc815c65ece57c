"""Text that reads as numbers, dates or times → the SQL that reads it, and what is to be told about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

import duckdb

from sqlml import encoding, queries
from sqlml.encoding import LEAST_ROWS
from sqlml.queries import identifier

READ_SHARE, CODE_SHARE = 0.95, 0.01
"""So much of what is written must read; numbers with a leading zero, from such a share on, are codes."""
FEW = 20
"""Numbers of no more different values stay categories: a level each says all that they say."""
SAMPLE = 1000
CURRENCY = (
    r"[A-Z]{0,3}\p{Sc}|USD|EUR|GBP|CHF|JPY|CNY|INR|AUD|CAD|NZD|SEK|NOK|DKK|PLN|CZK|HUF|RON|BRL|MXN|ZAR|TRY|RUB|KRW|SGD|"
    r"HKD|kr\.?|zł|Rs\.?"
)
"""What may stand before or after an amount, as a regular expression: a word of three letters may belong to a code."""
NAMED_VALUES = 3


@dataclass(frozen=True)
class Form:
    """A way to read text: the DuckDB type it gives and files of sql/reading, each over what the one before gave."""

    kind: str
    files: tuple[str, ...]

    @property
    def purpose(self) -> str:
        """What it reads, in words."""
        return queries.read(f"reading/{self.files[0]}").purpose

    def of(self, text: str) -> str:
        """SQL for the value of `text`, NULL where it does not read."""
        return reduce(
            lambda inner, file: queries.text(f"reading/{file}", text=inner, currency=CURRENCY), self.files, text
        )


FORMS: Mapping[str, Form] = {
    "number": Form("DOUBLE", ("number",)),
    "decimal_comma": Form("DOUBLE", ("decimal_comma",)),
    "clock": Form("DOUBLE", ("clock",)),
    "iso": Form("TIMESTAMP", ("iso",)),
    "day_first": Form("TIMESTAMP", ("day_first", "iso")),
    "month_first": Form("TIMESTAMP", ("month_first", "iso")),
    "month_name": Form("TIMESTAMP", ("month_name",)),
}
"""The forms that are tried; of two that read as much the earlier one is taken."""


@dataclass(frozen=True)
class Reading:
    """How one text column is read.

    Attributes:
        kind: The DuckDB type of what is read: DOUBLE, BIGINT (nothing but whole numbers) or TIMESTAMP.
        form: A name in `FORMS`.
        how: What was read, for the record.
        warnings: What the user should decide.
    """

    kind: str
    form: str
    how: str
    warnings: tuple[str, ...] = ()

    def of(self, text: str) -> str:
        """SQL for the value of `text`."""
        return FORMS[self.form].of(text)


def is_text(kind: str) -> bool:
    """Whether values of a DuckDB type may be numbers or dates that were written as text."""
    return encoding.is_category(kind) and kind != "UUID"


def text_of(column: str) -> str:
    """A column as text, whatever type it has when it is scored."""
    return f"{column}::VARCHAR"


def of_columns(
    cursor: duckdb.DuckDBPyConnection, table: str, columns: Mapping[str, str], few: int = FEW
) -> dict[str, Reading]:
    """Of text columns (name → SQL over `table`) those that read as something, and how."""
    found = {name: _of(cursor, table, name, text_of(column), few) for name, column in columns.items()}
    return {name: reading for name, reading in found.items() if reading is not None}


def alike(cursor: duckdb.DuckDBPyConnection, table: str, name: str, column: str) -> list[str]:
    """A warning where values of a column differ in nothing but case and blanks."""
    query = queries.text("rows/alike", table=table, text=text_of(column))
    found = [values for (values,) in cursor.execute(query).fetchall()]
    if not found:
        return []
    named = "; ".join(", ".join(map(repr, values[:NAMED_VALUES])) for values in found[:NAMED_VALUES])
    more = f" ({len(found):,} such groups)" if len(found) > NAMED_VALUES else ""
    return [
        f"Values of '{name}' differ only in case or blanks and count as different: {named}{more}. "
        f"To merge them, write lower(trim({identifier(name)})) AS {identifier(name)}."
    ]


def _of(cursor: duckdb.DuckDBPyConnection, table: str, name: str, text: str, few: int) -> Reading | None:
    sample = _facts(cursor, table, text, f"LIMIT {SAMPLE}")
    if not any(sample[form] for form in FORMS):
        return None
    facts = _facts(cursor, table, text, "")
    written = facts["written"]
    reads = {form: facts[form] for form in FORMS if facts[form] >= max(LEAST_ROWS, READ_SHARE * written)}
    if not reads:
        return None
    form = max(reads, key=lambda each: reads[each])
    is_either = form == "day_first" and _is_tie(reads, "day_first", "month_first")
    if is_either and facts["months_month_first"] > facts["months_day_first"]:
        form = "month_first"  # such as the first day of every month
    if form in ("number", "decimal_comma"):
        return _number(name, form, facts, reads, few)
    example = facts["either_date"] if is_either else None
    warnings = () if example is None else (_either_date(name, form, example),)
    return Reading(FORMS[form].kind, form, FORMS[form].purpose, warnings)


def _facts(cursor: duckdb.DuckDBPyConnection, table: str, text: str, limit: str) -> dict[str, Any]:
    forms = ", ".join(f"{form.of('v')} AS {name}" for name, form in FORMS.items())
    counts = ", ".join(f"count({name}) AS {name}" for name in FORMS)
    found = cursor.execute(
        queries.text("rows/reads", table=table, text=text, limit=limit, forms=forms, counts=counts, currency=CURRENCY)
    )
    names = [column[0] for column in found.description or ()]
    return dict(zip(names, found.fetchall()[0], strict=True))


def _is_tie(reads: Mapping[str, int], one: str, other: str) -> bool:
    """Whether two forms read the same values, though perhaps not alike."""
    return one in reads and reads[one] == reads.get(other)


def _number(name: str, form: str, facts: Mapping[str, Any], reads: Mapping[str, int], few: int) -> Reading | None:
    if facts["distinct_values"] <= few or facts["codes"] > CODE_SHARE * facts["written"]:
        return None
    currencies, percents = facts["currencies"] or [], facts["percents"]
    seen = [FORMS[form].purpose, *(["currency signs"] if currencies else []), *(["percent signs"] if percents else [])]
    warnings = []
    if _is_tie(reads, "number", "decimal_comma") and facts["either_number"] is not None:
        warnings.append(_either_number(name, facts["either_number"]))
    if len(currencies) > 1:
        warnings.append(f"The column '{name}' holds amounts in {', '.join(sorted(currencies))}, taken as one currency.")
    if 0 < percents < reads[form]:
        warnings.append(
            f"Only {percents:,} of {reads[form]:,} values of '{name}' have a percent sign: 5% is taken as 5."
        )
    kind = "BIGINT" if facts["whole"] >= reads[form] else "DOUBLE"
    return Reading(kind, form, ", ".join(seen), tuple(warnings))


def _either_number(name: str, example: str) -> str:
    column = identifier(name)
    return (
        f"Values of '{name}' such as '{example}' can be read in two ways; the point is taken as the decimal mark. "
        f"Write replace({column}, ',', '')::DOUBLE AS {column} to confirm it, or for a decimal comma "
        f"replace(replace({column}, '.', ''), ',', '.')::DOUBLE AS {column}."
    )


def _either_date(name: str, form: str, example: str) -> str:
    column, taken = identifier(name), "day" if form == "day_first" else "month"
    day_first, month_first = (_format(example, order) for order in (("%d", "%m"), ("%m", "%d")))
    return (
        f"Dates of '{name}' such as '{example}' can be read in two ways; the {taken} is taken to come first. "
        f"Write strptime({column}, '{day_first}') AS {column} for the day first, "
        f"strptime({column}, '{month_first}') AS {column} for the month first."
    )


def _format(example: str, order: tuple[str, str]) -> str:
    """The format by which `strptime` reads such a date, day and month in this order."""
    date, _, clock = example.strip().partition(" ")
    mark = next(character for character in date if not character.isdigit())
    year = "%Y" if date[-3:].isdigit() else "%y"
    hours = " %I:%M:%S %p" if clock[-1:] in ("M", "m") else " %H:%M:%S"
    times = hours if clock.count(":") > 1 else hours.replace(":%S", "") if clock else ""
    return mark.join((*order, year)) + times
