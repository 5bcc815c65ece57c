"""How a column is read as times or as numbers: the form is decided by the whole column, and said.

A time without an offset is UTC. What two forms read differently is an error that names the option to give.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from sqlml import queries
from sqlml.encoding import is_category, is_number
from sqlml.errors import DataError
from sqlml.queries import literal

TIMES = ("TIMESTAMP", "DATE", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS")
ZONED = "TIMESTAMP WITH TIME ZONE"
DAY, HOUR = r"\d{4}-\d\d?-\d\d?", r"\d\d?:\d\d(:\d\d(\.\d+)?)?"
PLAIN = "a number"
FIRST_YEAR = 1000
"""A year before it is one of two digits, read as four."""
UNDERSTOOD_TIMES = (
    "Understood: DATE and TIMESTAMP; ISO 8601, with or without an offset (2024-06-01 10:00:00-05:00); 31/12/2024 08:26 "
    "or 12/31/2024, where the whole column decides; 20241231; epoch seconds to nanoseconds; Excel's serial numbers."
)
UNDERSTOOD_NUMBERS = "Understood: numbers; text such as 1234.50, £1,234.50, 1.234,50 €, where the whole column decides."


@dataclass(frozen=True)
class Column:
    """A value of each row of a source, before it is read.

    Attributes:
        name: As the user wrote it.
        sql: An expression over the rows.
        kind: Its DuckDB type.
        rows: What stands behind FROM.
        option: What the user may give instead, e.g. `--time`.
    """

    name: str
    sql: str
    kind: str
    rows: str
    option: str

    @property
    def is_text(self) -> bool:
        """Whether values are text, or JSON that holds text."""
        return is_category(self.kind) or self.kind == "JSON"

    @property
    def text(self) -> str:
        """The expression as text."""
        if self.kind == "JSON":
            return f"({self.sql}->>'$')"
        return self.sql if self.kind == "VARCHAR" else f"{self.sql}::VARCHAR"

    @property
    def values(self) -> str:
        """A query of the values as `x`; blank text is NULL."""
        return f"SELECT {_blank_is_null(self.text) if self.is_text else self.sql} AS x FROM {self.rows}"


@dataclass(frozen=True)
class Reading:
    """An expression that gives a time or a number, and what to tell of it."""

    sql: str
    note: str = ""


@dataclass(frozen=True)
class Form:
    """One way to read a value `{x}`.

    Attributes:
        name: What it is called.
        sql: The expression.
        attempt: The same, NULL where the value is not of this form.
        formats: Of strptime, those that `sql` chooses from.
    """

    name: str
    sql: str
    attempt: str
    formats: tuple[str, ...] = ()


def time(cursor: duckdb.DuckDBPyConnection, column: Column, form: str | None = None) -> Reading:
    """How to read a column as TIMESTAMP or DATE, in UTC; `form` is a format of strptime.

    Raises:
        DataError: A value is no time, or two forms read the values differently.
    """
    if form:
        return _decided(cursor, column, [_given(form, column)], UNDERSTOOD_TIMES)
    if column.kind in TIMES:
        return Reading(column.sql)
    if column.kind == ZONED:
        return Reading(f"({column.sql} AT TIME ZONE 'UTC')")
    if column.is_text:
        return _decided(cursor, column, [_iso(), *_days(), *_counted("{x}::DOUBLE")], UNDERSTOOD_TIMES)
    if is_number(column.kind):
        return _decided(cursor, column, _counted("{x}"), UNDERSTOOD_TIMES)
    raise DataError(
        f"{column.name} is {column.kind}, which is no time.\n{UNDERSTOOD_TIMES}\n{_advice(column, UNDERSTOOD_TIMES)}"
    )


def number(cursor: duckdb.DuckDBPyConnection, column: Column, decimal: str | None = None) -> Reading:
    """How to read a column as numbers; `decimal` is the decimal mark of text.

    Raises:
        DataError: A value is no number, or the decimal mark is not to be told from that of thousands.
    """
    if is_number(column.kind):
        return Reading(column.sql)
    if not column.is_text:
        raise DataError(f"{column.name} is {column.kind}, which is no number.\n{UNDERSTOOD_NUMBERS}\n"
                        f"{_advice(column, UNDERSTOOD_NUMBERS)}")  # fmt: skip
    plain = Form(PLAIN, "{x}::DOUBLE", "TRY_CAST({x} AS DOUBLE)")
    forms = {".": [plain, _money(".", ",")], ",": [_money(",", ".")]}
    chosen = forms[decimal] if decimal else [*forms["."], *forms[","]]
    return _decided(cursor, column, chosen, UNDERSTOOD_NUMBERS)


def is_faithful(cursor: duckdb.DuckDBPyConnection, column: Column, kind: str) -> bool:
    """Whether the type that DuckDB gave to a column of text in a file says what is written there."""
    query = queries.text("mapping/written", values=column.values, day=DAY, hour=HOUR)
    is_plain, is_zoned = cursor.execute(query).fetchall()[0]
    return bool(is_zoned if kind == ZONED else is_plain)


def _iso() -> Form:
    utc = queries.text("binding/utc", text="{x}")
    four_digits = r"regexp_matches({x}, '^\s*\d{4}')"  # a cast takes 31/12/24 for a day of the year 31
    return Form("ISO 8601, in UTC", utc, f"CASE WHEN {four_digits} THEN try({utc}) END")


def _days() -> list[Form]:
    """Days in the orders and spellings of the world, with or without a time."""
    days = ("%d/%m/%Y", "%m/%d/%Y", "%d/%m/%y", "%m/%d/%y", "%d.%m.%Y", "%d.%m.%y", "%d-%m-%Y", "%m-%d-%Y",
            "%d-%b-%Y", "%d-%b-%y", "%d %b %Y", "%b %d, %Y", "%d %B %Y", "%B %d, %Y", "%a, %d %b %Y")  # fmt: skip
    hours = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p")
    found = []
    for day in days:
        formats = tuple(f"{day}{hour}" for hour in hours)
        parsed = f"try_strptime({{x}}, {_list(formats)})"
        attempt = f"CASE WHEN year({parsed}) >= {FIRST_YEAR} THEN {parsed} END"
        found.append(Form(day, "", attempt, formats))
    return found


def _counted(x: str) -> list[Form]:
    """Numbers that stand for times, told apart by their size."""
    attempted = x.replace("{x}::DOUBLE", "TRY_CAST({x} AS DOUBLE)")
    forms = (
        ("a date as yyyymmdd", 19e6, 22e6, "strptime({x}::BIGINT::VARCHAR, '%Y%m%d')"),
        ("a time as yyyymmddhhmmss", 19e12, 22e12, "strptime({x}::BIGINT::VARCHAR, '%Y%m%d%H%M%S')"),
        ("Excel's serial number", 2e4, 8e4, "TIMESTAMP '1899-12-30' + to_seconds(round(86400 * {x}))"),
        ("epoch seconds", 1e8, 5e9, "make_timestamp((1e6 * {x})::BIGINT)"),
        ("epoch milliseconds", 1e11, 5e12, "make_timestamp((1e3 * {x})::BIGINT)"),
        ("epoch microseconds", 1e14, 5e15, "make_timestamp({x}::BIGINT)"),
        ("epoch nanoseconds", 1e17, 5e18, "make_timestamp({x}::BIGINT // 1000)"),
    )
    return [
        _guarded(name, f"{attempted} BETWEEN {low:.0f} AND {high:.0f}", sql.replace("{x}", x),
                 sql.replace("{x}", attempted))
        for name, low, high, sql in forms
    ]  # fmt: skip


def _guarded(name: str, condition: str, sql: str, attempted: str) -> Form:
    """A form that fits under a condition; a value that comes later and does not fit is an error, not another value."""
    refused = f"error({literal(f'This was mapped as {name}, which does not read: ')} || {{x}})"
    return Form(
        name,
        f"CASE WHEN {{x}} IS NULL OR {condition} THEN {sql} ELSE {refused} END",
        f"CASE WHEN {condition} THEN try({attempted}) END",
    )


def _money(point: str, comma: str) -> Form:
    """Numbers with a currency and thousands set apart, by their decimal mark."""
    sign, cent, thousand = r"([A-Z]{0,3}\p{Sc}|[A-Z]{3}\s)?", rf"([{point}]\d+)?", rf"[{comma}'\s\x{{A0}}\x{{202F}}]"
    pattern = rf"[-+]?\s*{sign}\s*[-+]?(\d+|\d{{1,3}}({thousand}\d{{3}})+){cent}\s*(\p{{Sc}}|[A-Z]{{3}})?"
    bare = f"regexp_replace({{x}}, '[^0-9{point}+-]', '', 'g')"
    sql = f"{bare}::DOUBLE" if point == "." else f"replace({bare}, ',', '.')::DOUBLE"
    matches = f"regexp_full_match({{x}}, {literal(pattern)})"
    return _guarded(f"a number with '{point}' before the decimals", matches, sql, sql)


def _given(form: str, column: Column) -> Form:
    x = "{x}" if column.is_text else "{x}::VARCHAR"
    parsed = f"strptime({x}, {literal(form)})"
    sql = f"({parsed} AT TIME ZONE 'UTC')" if "%z" in form.lower() else parsed
    return Form(form, sql, sql.replace("strptime", "try_strptime", 1))


def _decided(cursor: duckdb.DuckDBPyConnection, column: Column, forms: Sequence[Form], understood: str) -> Reading:
    """The one form that reads every value.

    Raises:
        DataError: None does, or several do and differ.
    """
    sample = queries.text("mapping/sample", values=column.values)
    n, counts = _count(cursor, sample, forms)
    best = max(range(len(forms)), key=counts.__getitem__)
    if not n:
        raise DataError(f"{column.name} holds no value.\n{understood}\n{_advice(column, understood)}")
    left = [form for form, read in zip(forms, counts, strict=True) if read == n]
    n, counts = _count(cursor, column.values, left) if left else (n, [])
    whole = [form for form, read in zip(left, counts, strict=True) if read == n]
    if not whole:
        raise _unread(cursor, column, (left or forms)[0 if left else best], understood)
    _require_one(cursor, column, whole, understood)
    return _reading(cursor, column, _narrowed(cursor, column, whole[0]))


def _count(cursor: duckdb.DuckDBPyConnection, values: str, forms: Sequence[Form]) -> tuple[int, list[int]]:
    counts = ", ".join(f"count({_of(form.attempt)})" for form in forms)
    n, *found = cursor.execute(queries.text("mapping/counts", values=values, counts=counts)).fetchall()[0]
    return n, found


def _require_one(cursor: duckdb.DuckDBPyConnection, column: Column, forms: Sequence[Form], understood: str) -> None:
    """Check that forms which read every value read the same."""
    for other in forms[1:]:
        differs = f"({_of(forms[0].attempt)}) IS DISTINCT FROM ({_of(other.attempt)})"
        found = cursor.execute(f"SELECT min(x::VARCHAR) FROM ({column.values}) WHERE {differs}").fetchall()[0][0]
        if found is None:
            continue
        first, second = (_narrowed(cursor, column, form) for form in (forms[0], other))
        is_number = understood is UNDERSTOOD_NUMBERS
        advice = "Give --decimal '.' or --decimal ','." if column.option and is_number else _advice(column, understood)
        if first.formats:
            advice = " or ".join(_advised(column, literal(form.formats[0])) for form in (first, second))
            advice = f"Give {advice}."
        raise DataError(
            f"{column.name} can be read in two ways, as {first.name} and as {second.name}, e.g. '{found}'.\n"
            f"{understood}\n{advice}"
        )


def _narrowed(cursor: duckdb.DuckDBPyConnection, column: Column, form: Form) -> Form:
    """Of a form with several formats, those that occur."""
    if not form.formats:
        return form
    counts = ", ".join(f"count(try_strptime(x, {literal(each)}))" for each in form.formats)
    _, *found = cursor.execute(queries.text("mapping/counts", values=column.values, counts=counts)).fetchall()[0]
    used = tuple(each for each, n in zip(form.formats, found, strict=True) if n)
    shown = literal(used[0]) if len(used) == 1 else _list(used)
    return Form(f"the format {shown}", f"strptime({{x}}, {shown})", form.attempt, used)


def _reading(cursor: duckdb.DuckDBPyConnection, column: Column, form: Form) -> Reading:
    x = column.sql
    if column.is_text:
        query = f"SELECT count({column.text}) > count({_blank_is_null(column.text)}) FROM {column.rows}"
        x = _blank_is_null(column.text) if cursor.execute(query).fetchall()[0][0] else column.text
    query = f"SELECT x::VARCHAR, ({_of(form.attempt)})::VARCHAR FROM ({column.values}) WHERE x IS NOT NULL LIMIT 1"
    example, value = cursor.execute(query).fetchall()[0]
    note = f"{column.name} is read as {form.name}: {example} becomes {value}."
    if form.sql == _iso().sql:
        note += _without_offset(cursor, column)
    return Reading(form.sql.replace("{x}", x), "" if form.name == PLAIN or example == value else note)


def _without_offset(cursor: duckdb.DuckDBPyConnection, column: Column) -> str:
    """What to tell of times without an offset beside others that have one."""
    is_bare = f"regexp_full_match(x, '{DAY}([T ]{HOUR})?')"
    n, bare = cursor.execute(f"SELECT count(x), count_if({is_bare}) FROM ({column.values})").fetchall()[0]
    return f" {bare:,} of {n:,} values have no offset and are taken for UTC." if 0 < bare < n else ""


def _unread(cursor: duckdb.DuckDBPyConnection, column: Column, form: Form, understood: str) -> DataError:
    query = queries.text("mapping/unread", values=column.values, form=_of(form.attempt))
    n, examples = cursor.execute(query).fetchall()[0]
    kind = "times" if understood is UNDERSTOOD_TIMES else "numbers"
    shown = ", ".join(map(repr, examples))
    return DataError(f"{column.name} holds {n:,} values that are not read as {kind}, e.g. {shown}.\n{understood}\n"
                     f"{_advice(column, understood)}")  # fmt: skip


def _advice(column: Column, understood: str) -> str:
    if not column.option:
        kind = "TIMESTAMP" if understood is UNDERSTOOD_TIMES else "DOUBLE"
        return f"Make it a {kind} first, by an expression of your own."
    if column.option in ("--time", "--known-at"):
        return ("Give --time-format '%d.%m.%Y %H:%M' (as of strptime), or an expression that is a TIMESTAMP: "
                f'{column.option} "epoch_ms(ts)". --where leaves rows out.')  # fmt: skip
    return f'Give an expression that is right: {column.option} "TRY_CAST(x AS ...)". --where leaves rows out.'


def _advised(column: Column, form: str) -> str:
    """How to say that a time is of a form: an option of the command line, else SQL."""
    return f"--time-format {form}" if column.option else f"strptime({column.sql}, {form})"


def _blank_is_null(text: str) -> str:
    return f"NULLIF(trim({text}), '')"


def _of(attempt: str) -> str:
    return attempt.replace("{x}", "x")


def _list(formats: Sequence[str]) -> str:
    return f"[{', '.join(map(literal, formats))}]"
