"""Reads `sql/` by name and binds what feature and label files may read.

A feature file reads `history`, `days`, `spine`, `customers` and `items`; a label file reads `future`. Only this module
knows where those come from. In the files `{name}` stands for a piece of SQL put in here, `$name` for a value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from itertools import count, pairwise
from typing import Any

import duckdb

_HEADER = re.compile(r"^-- sql/(?P<path>\S+): (?P<purpose>.*?)(?:\s{2,}needs: (?P<needs>.*))?$")
_PIECE = re.compile(r"\{(\w+)\}")
_PLAIN = re.compile(
    r"SELECT customer_id, as_of,\n(?P<columns>.*)\nFROM (?P<source>\w+)\nGROUP BY customer_id, as_of$", re.DOTALL
)
_READS = re.compile(r"\bFROM history\b")
_WINDOW = re.compile(r"_(\d+)d(?=_|$)")
READING = {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"}
"""Queries that change nothing."""
WRITING = {"insert", "update", "delete", "merge"}
"""First words of statements that change data."""
FORMULA, APOSTROPHE = r"^([=+@\t\r\n-])", r"'\1"
_PLAIN_VALUE = re.compile(
    r"(U?(TINY|SMALL|BIG|HUGE)?INT|U?INTEGER|DECIMAL|FLOAT|DOUBLE|BOOLEAN|DATE|TIME|INTERVAL)\b|TIMESTAMP"
)
"""Types whose texts are no formulas; those with brackets begin with one."""
MONEY = "DECIMAL(38, 8)"
"""Amounts up to 1e15 in hundred-millionths; a sum of 1e15 of them fits."""
KEY, AS_OF, STRUCT, MOMENT, ROW, CUSTOMER = (f"__sqlml_{word}" for word in ("key", "as_of", "x", "t", "row", "arg"))
CHECKED, STORED = "{0}::TIMESTAMP", "ml.in_utc({0})"
"""A time as TIMESTAMP: whose type was just looked at, and in a macro, which refuses another type as it is called."""
_KEYS = ("customer_id", "event_time")
PAIR = f"{CUSTOMER}, {MOMENT}"
"""The parameters that are one customer and one moment."""


@dataclass(frozen=True)
class SqlFile:
    """One file of `sql/`: its name, its text, and the optional columns it needs."""

    name: str
    purpose: str
    needs: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class Behavior:
    """The columns (name → DuckDB type) of the relations in schema `behavior`; empty where one is absent."""

    events: Mapping[str, str]
    customers: Mapping[str, str] = field(default_factory=dict)
    items: Mapping[str, str] = field(default_factory=dict)

    def has(self, need: str) -> bool:
        """Whether `amount`, `items.category` or `customers` exists here."""
        relation, _, column = need.rpartition(".")
        if need in ("customers", "items"):
            return bool(getattr(self, need))
        return column in getattr(self, relation or "events")


@dataclass(frozen=True)
class Frame:
    """Features of whom, and from what: the relations, the attributes named, a condition over the history by as_of.

    `order` is the condition that makes an event a purchase, where features of orders are wanted. `folder` is the one of
    `sql/` whose files are the features; `weight` what an event counts for a recommender. `read` holds attributes that
    are numbers or times written as text: their type and the SQL over `c`, a row of behavior.customers, that reads them.
    """

    behavior: Behavior
    attributes: Sequence[str] = ()
    population: str = "true"
    order: str = ""
    folder: str = "features"
    weight: str = "1"
    read: Mapping[str, tuple[str, str]] = field(default_factory=dict)


def identifier(name: str) -> str:
    """`name` as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """`text` as a SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def tree(operator: str, terms: Sequence[str]) -> str:
    """Terms joined by an operator, as a balanced tree: how deep an expression may be is limited."""
    half = len(terms) // 2
    return f"({tree(operator, terms[:half])}{operator}{tree(operator, terms[half:])})" if half else terms[0]


def without_formulas(select: str, columns: Mapping[str, str]) -> str:
    """A query whose texts no spreadsheet takes for a formula: those that begin like one get an apostrophe before it.

    `columns` are its names and types. Names of columns are such texts too; numbers and times stay as they are.
    """
    listed = []
    for name, kind in columns.items():
        value = identifier(name)
        if not _PLAIN_VALUE.match(kind):
            value = f"regexp_replace({value}::VARCHAR, '{FORMULA}', {literal(APOSTROPHE)})"
        listed.append(f"{value} AS {identifier(re.sub(FORMULA, APOSTROPHE, name))}")
    return f"SELECT {', '.join(listed)} FROM ({select})"


def any_known(columns: Sequence[str]) -> str:
    """Whether a row has a value in any of some columns: a row of NULLs alone has no answer."""
    return tree(" OR ", [f"{ROW}.{identifier(name)} IS NOT NULL" for name in dict.fromkeys(columns)])


def nodes(tree: object) -> Iterator[Mapping[str, Any]]:
    """Every node of what DuckDB's `json_serialize_sql` says of a text."""
    if isinstance(tree, dict):
        yield tree
        tree = list(tree.values())
    if isinstance(tree, list):
        for each in tree:
            yield from nodes(each)


def writes(cursor: Any, query: str) -> bool:  # noqa: ANN401
    """Whether a query changes data, in a common table expression; `cursor` is any DuckDB connection.

    DuckDB gives no tree of a PIVOT: there each of its words counts that stands in no quotes and no comment.
    """
    parsed = json.loads(cursor.execute("SELECT json_serialize_sql(?)", [query]).fetchall()[0][0])
    if parsed["error"]:
        return bool(WRITING & {word.lower() for word in _words(query)})
    kinds = {str(node.get("type")) for node in nodes(parsed) if str(node.get("type")).endswith("_NODE")}
    return not kinds <= READING


def _words(query: str) -> Iterator[str]:
    """The keywords and bare names of a query."""
    source = query.encode()
    starts = [(start, kind.name) for start, kind in duckdb.tokenize(query)]
    for (start, kind), (end, _) in pairwise([*starts, (len(source), "")]):
        if kind in ("keyword", "identifier"):
            yield source[start:end].decode().strip()


def checksum(cursor: Any, relation: str) -> str:  # noqa: ANN401
    """Of everything that stands in the rows of a relation, in whatever order; `cursor` is any DuckDB connection."""
    return str(cursor.execute(f"SELECT sum(hash({ROW})) FROM {relation} {ROW}").fetchall()[0][0])


@cache
def read(path: str) -> SqlFile:
    """The file `sql/<path>.sql`.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: Its first line does not name the file and its purpose.
    """
    name = f"{path}.sql"
    text = files("sqlml.sql").joinpath(*name.split("/")).read_text(encoding="utf-8")
    header, _, body = text.partition("\n")
    found = _HEADER.match(header)
    if not found or found["path"] != name:
        raise ValueError(f"sql/{name} must begin with '-- sql/{name}: what it is'")
    needs = tuple(need.strip() for need in (found["needs"] or "").split(",") if need.strip())
    return SqlFile(path.rpartition("/")[2], found["purpose"].strip(), needs, body.strip())


def text(path: str, **pieces: str) -> str:
    """The text of `sql/<path>.sql` with its `{pieces}` put in."""
    return _PIECE.sub(lambda found: pieces.get(found[1], found[0]), read(path).text)  # once: a piece may hold braces


@cache
def folder(name: str) -> tuple[SqlFile, ...]:
    """All files of `sql/<name>/`, by name."""
    entries: Iterable[Traversable] = files("sqlml.sql").joinpath(name).iterdir()
    stems = sorted(entry.name.removesuffix(".sql") for entry in entries if entry.name.endswith(".sql"))
    return tuple(read(f"{name}/{stem}") for stem in stems)


def feature_files(frame: Frame) -> list[SqlFile]:
    """The feature files whose needs are met; attributes only where some are named, orders where they are wanted."""
    wanted = {"customers": bool(frame.attributes), "orders": bool(frame.order)}
    usable = [f for f in folder(frame.folder) if all(wanted.get(need, True) for need in f.needs)]
    return [f for f in usable if all(need == "orders" or frame.behavior.has(need) for need in f.needs)]


def window_days(column: str) -> int:
    """The longest window a feature column looks back over, by its name: `events_ratio_30d_90d` → 90, else 0."""
    return max(map(int, _WINDOW.findall(column)), default=0)


def features_at(frame: Frame, select: str) -> str:
    """`select` over all feature columns of everyone at the moment `__sqlml_t` (a macro parameter)."""
    history = _history("as_of", frame, select, f"{MOMENT}::TIMESTAMP", STORED)
    return _told_apart(_compose(frame, [("history", history)], select, STORED))


def features_of(frame: Frame, asked: str, select: str, utc: str = CHECKED) -> str:
    """`select` over all feature columns of the pairs (customer_id, as_of) that the query `asked` gives."""
    history = _history("spine", frame, select, "a.as_of", utc)
    return _compose(frame, [("asked", asked), ("history", history)], select, utc)


def features_for(frame: Frame, select: str) -> str:
    """`select` over all feature columns of the customer `__sqlml_arg` at the moment `__sqlml_t` (macro parameters).

    The pair is joined with the events by an equality, so that columns can stand for both.
    """
    return _told_apart(features_of(frame, text("binding/asked_pair"), select, STORED))


def asked_moment(silence: int | None) -> str:
    """The moment of a row of a user's relation: its as_of in UTC, without one the newest; an error where out of reach.

    A version of an earlier release knows of no silence, and answers at any moment.
    """
    moment = "ml.utc(as_of)"  # without such a column DuckDB finds that of the newest moment
    if silence is None:
        return moment
    return f"CASE WHEN ml.in_reach(ml.utc(as_of), __sqlml_newest.as_of, {silence}) THEN {moment} END"


def history_of(behavior: Behavior) -> str:
    """The history of each pair of the relation `asked`, with all columns of the events."""
    return _bound("spine", behavior, list(behavior.events), "a.as_of", CHECKED)


def _history(variant: str, frame: Frame, select: str, moment: str, utc: str) -> str:
    """The events known at a moment, with the columns that features and `select` name.

    They are listed: a column that is added later must not stand for another, nor one be missed that nobody reads.
    """
    reading = "\n".join([*_texts(frame).values(), frame.population, _sums(frame.behavior), select]).lower()
    columns = [
        name
        for name in frame.behavior.events
        if name in _KEYS or re.search(rf"(?<!\w){re.escape(name)}(?!\w)", reading)
    ]
    return _bound(variant, frame.behavior, columns, moment, utc)


def _bound(variant: str, behavior: Behavior, columns: Sequence[str], moment: str, utc: str) -> str:
    time, amount = utc.format("e.event_time"), f"{_exact('e.amount')} AS amount"
    special = {"event_time": f"{time} AS event_time", "amount": amount}
    listed = ", ".join(special.get(name, f"e.{identifier(name)}") for name in columns)
    return text(
        f"binding/history_{variant}", columns=listed, time=time, as_of=moment, known=known(behavior, moment, utc)
    )


def labels_of(behavior: Behavior, label: str, asked: str) -> str:
    """The query `label` over the future of each pair of `asked`, as far as it is known.

    Parameters are `$window_seconds` and `$known_by`.
    """
    pieces = {
        "known": known(behavior, "$known_by::TIMESTAMP"),
        "amount": f", {_exact('e.amount')} AS amount" if behavior.has("amount") else "",
        "label": label,
    }
    return text("binding/labels", asked=asked, **pieces)


def known(behavior: Behavior, moment: str, utc: str = CHECKED) -> str:
    """Rows with a `known_at` are known from then on; without one, from `event_time` on."""
    times = ", ".join(utc.format(f"e.{name}") for name in ("known_at", "event_time"))
    return f"AND coalesce({times}) <= {moment}" if behavior.has("known_at") else ""


def item_text(behavior: Behavior) -> str:
    """The id of an item of behavior.items as a text, written as that of an event is."""
    return f"TRY_CAST(item_id AS {behavior.events['item_id']})::VARCHAR"


def _exact(amount: str) -> str:
    """The amount as DECIMAL, whose sums are exact: a sum of DOUBLE depends on the order of the threads.

    An amount that is NaN, infinite or above 1e15 counts as unknown: one of them must not spoil every sum.
    """
    return f"CASE WHEN abs({amount}) <= 1e15 THEN {amount}::{MONEY} END"


def _texts(frame: Frame) -> dict[str, str]:
    """The feature files of a frame, with its pieces put in."""
    names = [file.name for file in feature_files(frame)]
    return {name: text(f"{frame.folder}/{name}", order=frame.order, weight=frame.weight) for name in names}


def _compose(frame: Frame, head: list[tuple[str, str]], select: str, utc: str) -> str:
    behavior, attributes = frame.behavior, frame.attributes
    of_history, features = _together(_texts(frame))
    relations = [*head, ("spine", text("binding/spine", population=frame.population, features=of_history))]
    if attributes:
        relations.append(("customers", _customers(frame, utc)))
    if behavior.items:
        relations.append(("items", text("binding/items")))
    relations += [("days", text("binding/days", sums=_sums(behavior))), *features.items()]
    ctes = ",\n".join(f"{name} AS NOT MATERIALIZED (\n{body})" for name, body in relations)
    joins = "".join(f"\n  LEFT JOIN {name} USING (customer_id, as_of)" for name in features)
    return f"WITH {ctes}\n{select}\nFROM spine{joins}"


def _told_apart(features: str) -> str:
    """Each reader of the history under a condition of its own, which always holds.

    Of equal subplans that hold a join, here with the newest moment, DuckDB would keep the rows: all events.
    """
    years = count(290_000)
    return _READS.sub(lambda _: f"FROM (FROM history WHERE event_time < TIMESTAMP '{next(years)}-01-01')", features)


def _sums(behavior: Behavior) -> str:
    """What else is known of an active day."""
    sums = {"amount": ", sum(amount) AS amount", "item_id": ", count(item_id) AS n_items"}
    return "".join(text for column, text in sums.items() if behavior.has(column))


def _together(texts: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Files that do nothing but aggregate one relation by customer become one: one pass over the relation.

    Returns:
        The columns that aggregate the history, which the spine goes through in any case, and the other relations.
    """
    columns: dict[str, str] = {}
    relations: dict[str, str] = {}
    for name, body in texts.items():
        if plain := _PLAIN.match(body):
            columns[plain["source"]] = columns.get(plain["source"], "") + ",\n" + plain["columns"]
        else:
            relations[f"{name}_features"] = body
    of_history = columns.pop("history", "")
    for source, listed in columns.items():
        relations[f"{source}_features"] = (
            f"SELECT customer_id, as_of{listed}\nFROM {source}\nGROUP BY customer_id, as_of"
        )
    return of_history, relations


def attribute_of(name: str) -> str:
    """An attribute as a column of `c`, a row of behavior.customers."""
    return f"c.{identifier(name)}"


def _customers(frame: Frame, utc: str) -> str:
    known = frame.behavior.customers
    given = {name: frame.read.get(name, (known[name], attribute_of(name))) for name in frame.attributes}
    if utc == STORED:
        typed = [name for name in given if name not in frame.read and not _is_time(known[name])]
        given |= {name: (known[name], _of_type(name, known[name])) for name in typed}
    columns = ", ".join(_attribute(name, *each, utc) for name, each in given.items())
    variant = "customers_valid_from" if "valid_from" in known else "customers"
    return text(f"binding/{variant}", attributes=columns, valid_from=utc.format("c.valid_from"))


def _of_type(name: str, type_name: str) -> str:
    return f"ml.of_type({attribute_of(name)}, {literal(name)}, {literal(type_name)})"


def _is_time(type_name: str) -> bool:
    return type_name == "DATE" or type_name.startswith("TIMESTAMP")


def _attribute(name: str, type_name: str, column: str, utc: str) -> str:
    """A date becomes its age in days, NULL while it lies after as_of; everything else stays as it is."""
    if "TIME ZONE" in type_name:
        column = utc.format(f"({column} AT TIME ZONE 'UTC')")
    elif _is_time(type_name):
        column = utc.format(column)
    if _is_time(type_name):
        age = f"((epoch(s.as_of) - epoch({column})) / 86400)::FLOAT"
        return f"CASE WHEN {column} <= s.as_of THEN {age} END AS {identifier(f'customer.{name}')}"
    return f"{column} AS {identifier(f'customer.{name}')}"
