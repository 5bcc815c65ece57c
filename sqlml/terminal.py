"""What the command line reads and shows: databases, tables, records, files."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

import sqlml
from sqlml.errors import DataError, plain
from sqlml.files import whole
from sqlml.queries import identifier, literal, without_formulas, writes
from sqlml.statements import (
    BacktestModel,
    CreateModel,
    DescribeModel,
    EvaluateModel,
    ExplainModel,
    ExportModel,
    Foreign,
    ImportModel,
    RetrainModel,
    ShowModels,
    parse,
)

if TYPE_CHECKING:
    from sqlml.connection import Connection

RECORDS = (CreateModel, DescribeModel, ImportModel)
FLOATS = ("FLOAT", "DOUBLE")
ROUNDED = "CASE WHEN abs({0}) < 0.001 THEN format('{{:.3g}}', {0})::DOUBLE ELSE round({0}::DOUBLE, 4) END AS {0}"
"""A number for people: four decimals, or three digits of a smaller one."""
TRAININGS = (CreateModel, RetrainModel, BacktestModel)


class Format(StrEnum):
    """How `query` writes a result."""

    table = "table"
    csv = "csv"
    json = "json"
    parquet = "parquet"


def format_of(output: Path | None) -> Format:
    """By the ending of the file."""
    ending = output.suffix.lower().removeprefix(".") if output else ""
    return Format(ending) if ending in Format.__members__ else Format.table


def only_reads(script: str) -> bool:
    """Whether a script can run on a file opened read-only, beside others that read it."""
    return all(
        all(map(_only_reads, duckdb.extract_statements(statement.text)))
        if isinstance(statement, Foreign)
        else isinstance(statement, (ShowModels, DescribeModel, EvaluateModel, ExplainModel, ExportModel))
        for statement in parse(script)
    )


def _only_reads(statement: duckdb.Statement) -> bool:
    kinds = duckdb.StatementType
    if statement.type not in (kinds.SELECT, kinds.EXPLAIN):
        return False
    with duckdb.connect() as empty:
        return not writes(empty, statement.query)


@contextmanager
def open_database(db: Path, *, read_only: bool = False) -> Iterator[Connection]:
    """An existing database: a misspelt path must not make a new one."""
    if not db.exists():
        raise DataError(f"There is no database {db}. `sqlml map --db {db}` or `sqlml demo` makes one.")
    with sqlml.connect(db, read_only=read_only) as con:
        con.native.execute("SET python_enable_replacements = false").fetchall()  # our variables are no tables
        yield con


def announce_training() -> None:
    """Say that it takes a while where no bar can be shown."""
    if not sys.stderr.isatty():
        tell("Training; this takes a minute or more. On a terminal a bar shows how far it is.")


def show_record(con: Connection, statement: str) -> None:
    """Run a statement that gives (topic, item, detail), and show them as an outline."""
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    rows = con.execute(statement).fetchall()
    table = Table(show_header=False, box=None, pad_edge=False)
    previous = ""
    for topic, item, detail in rows:
        table.add_row(*(plain(str(cell)) for cell in (topic if topic != previous else "", item, detail)))
        previous = topic
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False, markup=False)
    with console.capture() as captured:
        console.print(table)
    say("\n".join(line.rstrip() for line in captured.get().splitlines()))


def run(con: Connection, statement: str) -> None:
    """Run one statement and show its result as suits it."""
    (parsed,) = parse(statement)
    if isinstance(parsed, TRAININGS):
        announce_training()
    if isinstance(parsed, RECORDS) or (isinstance(parsed, ExplainModel) and parsed.query is None):
        show_record(con, statement)
    else:
        show(con, statement)


def show(con: Connection, sql: str) -> None:
    """Run SQL and show the result of its last statement as a table."""
    relation = con.sql(sql)
    if relation is not None:
        say(as_text(relation))


def as_text(relation: duckdb.DuckDBPyRelation) -> str:
    """A result as DuckDB draws it, its numbers rounded."""
    named = zip(relation.columns, map(str, relation.types), strict=True)
    rounded = [ROUNDED.format(identifier(name)) for name, kind in named if kind in FLOATS]
    if rounded and len({name.lower() for name in relation.columns}) == len(relation.columns):
        relation = relation.project(f"* REPLACE ({', '.join(rounded)})")
    return str(relation).rstrip("\n")


def write(
    con: Connection, relation: duckdb.DuckDBPyRelation, form: Format, output: Path | None, *, no_formulas: bool = False
) -> None:
    """Write a result to a file, whole or not at all, or to standard output."""
    if output is not None:
        with whole(con.native, output) as file:
            _export(con, relation, form, file, no_formulas=no_formulas)
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "result"
        _export(con, relation, form, file, no_formulas=no_formulas)
        text = file.read_text(encoding="utf-8")
        sys.stdout.write(plain(text) if sys.stdout.isatty() else text)


def _export(con: Connection, relation: duckdb.DuckDBPyRelation, form: Format, file: Path, *, no_formulas: bool) -> None:
    if form is Format.table:
        file.write_text(f"{as_text(relation)}\n", encoding="utf-8")
        return
    repeated = {name for name in relation.columns if relation.columns.count(name) > 1}
    if repeated:
        raise DataError(f"The result has the column {sorted(repeated)[0]} twice: name them apart with AS.")
    options = {Format.csv: ", HEADER", Format.json: ", ARRAY true"}.get(form, "")
    con.register("sqlml_result", relation.to_arrow_table())
    columns = zip(map(identifier, relation.columns), map(str, relation.types), strict=True)
    finite = [_finite(name) if form is Format.json and kind in ("FLOAT", "DOUBLE") else name for name, kind in columns]
    select = f"SELECT {', '.join(finite)} FROM sqlml_result"
    if no_formulas and form is Format.csv:
        select = without_formulas(select, dict(zip(relation.columns, map(str, relation.types), strict=True)))
    con.execute(f"COPY ({select}) TO {literal(str(file))} (FORMAT {form.value}{options})").fetchall()


def _finite(column: str) -> str:
    """JSON knows no NaN and no infinity."""
    return f"CASE WHEN isfinite({column}) THEN {column} END AS {column}"


def with_advice(message: str) -> str:
    """A message of DuckDB's, and what to do where a lock is the reason."""
    if "lock" in message.lower() and "conflicting" in message.lower():
        return f"{message}\nAnother process has the file open for writing: close it there. Reading alone can be shared."
    return message


def say(text: str) -> None:
    """Write a result to standard output; characters that a terminal would obey are shown as escapes."""
    print(plain(text))


def tell(message: str) -> None:
    """Write to standard error, which is no result."""
    print(plain(message), file=sys.stderr)
