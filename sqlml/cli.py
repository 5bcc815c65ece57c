"""The command line: thin; every command opens the database, runs SQL and shows a result."""

from __future__ import annotations

import inspect
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from types import FrameType, ModuleType
from typing import Annotated, Any

import duckdb
import typer

import sqlml
from sqlml import behavior, demo, options, queries
from sqlml.behavior import EventSource
from sqlml.connection import Connection
from sqlml.errors import DataError, ModelError, OptionError, SqlmlError
from sqlml.options import BehaviorOptions, QueryOptions
from sqlml.queries import identifier, literal

app = typer.Typer(
    name="sqlml",
    help="Machine learning inside DuckDB: train models from behaviour tables, call them as SQL functions.",
    epilog="Begin with: sqlml demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
Database = Annotated[
    Path, typer.Option("--db", envvar="SQLML_DB", help="The DuckDB file that holds tables and models.", metavar="PATH")
]
DEMO_QUERIES = (
    "SELECT customer_id, churn_score(customer_id) FROM behavior.customers ORDER BY 2 DESC LIMIT 5",
    "SELECT plan, count(*) AS customers, avg(churn_score(customer_id)) AS churn FROM behavior.customers GROUP BY plan",
    "SELECT churn_score(7) AS today, churn_score(7, DATE '2026-01-01') AS at_new_year",
)


SCORES = "Scores written by sqlml"


class Format(StrEnum):
    """How `query` writes a result."""

    table = "table"
    csv = "csv"
    json = "json"
    parquet = "parquet"


def main() -> None:
    """Run the command line. Exit codes: 0, 1 (the user's error), 2 (usage), 130 (interrupted)."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding="utf-8")
    signal.signal(signal.SIGINT, _interrupted)
    try:
        app()
    except BrokenPipeError:  # `sqlml query … | head`: whoever read has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        sys.exit(_say(f"Error: {error.strerror or error}: {error.filename or ''}".rstrip(": "), 1))
    except (SqlmlError, duckdb.Error) as error:
        sys.exit(_say(f"Error: {_locked(str(error))}", 1))


def _interrupted(number: int, frame: FrameType | None) -> None:
    """Leave at once: an exception could be swallowed inside a callback, and a killed transaction leaves no trace."""
    show_cursor = "\x1b[?25h\n" if sys.stderr.isatty() else ""
    _tell(f"{show_cursor}Interrupted; the statement that ran has written nothing.")
    os._exit(130)


@app.callback(invoke_without_command=True)
def version_option(version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False) -> None:
    """Options of every command."""
    if version:
        print(sqlml.__version__)
        raise typer.Exit


@app.command("demo")
def demo_command(
    db: Annotated[Path, typer.Option("--db", help="The file to write; it must not exist yet.")] = Path("demo.duckdb"),
    customers: Annotated[int, typer.Option(help="Customers of the generated shop.", min=500)] = 12_000,
) -> None:
    """Generate a shop, train a churn model on it, and query it: offline, in about a minute."""
    if db.exists():
        raise DataError(f"{db} exists already. Remove it, or name another file: sqlml demo --db other.duckdb")
    with sqlml.connect(db) as con:
        _tell(f"Writing a shop of {customers:,} customers to {db} ...")
        demo.write_shop(con.native, customers)
        statement = "CREATE MODEL churn OPTIONS (task = 'churn', horizon = INTERVAL 90 DAY, attributes = ['plan'])"
        _tell(f"sqlml> {statement};\nTraining takes about a minute.")
        _show_record(con, statement)
        for query in DEMO_QUERIES:
            print(f"sqlml> {query};")
            _show(con, query)
    print(f"""Type next:
  sqlml query --db {db} "SELECT * FROM ml.metrics"
  sqlml query --db {db} "SELECT name, detail FROM ml.features"
  sqlml score churn --db {db} --to churn_today
  sqlml map --help        # the same on your own tables""")


@app.command("map")
def map_command(
    db: Database,
    events: Annotated[
        list[str] | None, typer.Option(help="A table, view, Parquet or CSV file of events. Repeatable.")
    ] = None,
    customer: Annotated[list[str] | None, typer.Option(help="Its column with the customer's id.")] = None,
    time: Annotated[list[str] | None, typer.Option(help="Its column with the time of the event.")] = None,
    type: Annotated[list[str] | None, typer.Option(help="Its column with the type of the event.")] = None,
    type_value: Annotated[list[str] | None, typer.Option(help="One type for all events of the source.")] = None,
    item: Annotated[list[str] | None, typer.Option(help="Its column with the item's id.")] = None,
    amount: Annotated[list[str] | None, typer.Option(help="A column or SQL expression: money of the event.")] = None,
    quantity: Annotated[list[str] | None, typer.Option(help="Its column with the quantity.")] = None,
    known_at: Annotated[list[str] | None, typer.Option(help="Its column with when the row was known.")] = None,
    where: Annotated[list[str] | None, typer.Option(help="An SQL condition: which rows are events.")] = None,
    customers: Annotated[str | None, typer.Option(help="A table or file with one row a customer.")] = None,
    customer_key: Annotated[str | None, typer.Option(help="Its column with the customer's id.")] = None,
    items: Annotated[str | None, typer.Option(help="A table or file with one row an item.")] = None,
    item_key: Annotated[str | None, typer.Option(help="Its column with the item's id.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the SQL, write nothing.")] = False,
) -> None:
    """Write the views of schema behavior over your tables or files, and show the SQL.

    Obvious column names are found by themselves. With several --events, give each other option once for all of them,
    or once for each in the same order; '' means the source has none.

      sqlml map --events orders --customer client_no --time ordered_at --amount "price * quantity"

      sqlml map --events visits.parquet --type-value visit --events orders.parquet --type-value purchase
    """
    if not (events or customers or items):
        raise typer.BadParameter("name at least one of --events, --customers, --items")
    given = {"customer": customer, "time": time, "type": type, "type_value": type_value, "item": item,
             "amount": amount, "quantity": quantity, "known_at": known_at, "where": where}  # fmt: skip
    sources = [EventSource(relation, **{name: _nth(name, values, i, len(events or ())) for name, values in
                                        given.items()}) for i, relation in enumerate(events or ())]  # fmt: skip
    with sqlml.connect(db if db.exists() else ":memory:") as con:
        views = [behavior.events_view(con.native, sources)] if sources else []
        if customers:
            views.append(behavior.entity_view(con.native, behavior.CUSTOMERS, "customer_id", customers, customer_key))
        elif sources:
            views.append(behavior.ids_view(con.native))
        if items:
            views.append(behavior.entity_view(con.native, behavior.ITEMS, "item_id", items, item_key))
    script = "CREATE SCHEMA IF NOT EXISTS behavior;\n" + "\n".join(filter(None, views))
    print(script)
    if dry_run:
        return
    with sqlml.connect(db) as con:
        behavior.write(con.native, script)
    _tell(f"Written. Next: sqlml check --db {db}, then sqlml train churn --db {db} --horizon 90d")


@app.command()
def check(db: Database) -> None:
    """Report every breach of the behaviour contract, with counts and the SQL that shows the rows."""
    with _open(db, read_only=True) as con:
        relations = behavior.read(con.native)
        known = behavior.facts(con.native)
        print(f"{known.n_events:,} events of {known.n_customers:,} customers, "
              f"{known.first_event:%Y-%m-%d %H:%M} to {known.newest_event:%Y-%m-%d %H:%M} (UTC)")  # fmt: skip
        findings = list(behavior.check(con.native, relations, ("error", "warning", "note")))
        for finding in findings:
            print(f"{finding.severity}: {finding.count:,} {finding.text}\n    {' '.join(finding.sql.split())};")
    if any(f.severity == "error" for f in findings):
        raise DataError("The behaviour tables break the contract: see the errors above.")
    print("No errors.")


def train(db: Path, name: str, sql: Path | None, replace: bool, **given: object) -> None:
    """Train a model and show its record.

    sqlml train churn --horizon 90d

    sqlml train churn --horizon 13w --attributes plan --attributes country --replace

    sqlml train churn --sql churn.sql     # any CREATE MODEL statement
    """
    if sql is not None:
        with _open(db) as con:
            _show_record(con, _statement_of(sql, name))
        return
    values = {key: value for key, value in given.items() if value is not None and value != []}
    if "horizon" not in values:
        raise OptionError("How far ahead? Give --horizon, e.g. --horizon 90d. A file with --sql is the other way.")
    pairs = ", ".join(f"{key} = {_sql(value)}" for key, value in values.items())
    with _open(db) as con:
        _show_record(con, f"CREATE {'OR REPLACE ' if replace else ''}MODEL {identifier(name)} OPTIONS ({pairs})")


def _with_option_flags(command: Callable[..., None]) -> Callable[..., None]:
    """Give `command` a flag for every field of `BehaviorOptions`: name, type and help come from there."""
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [
        inspect.Parameter("db", keyword, annotation=Database),
        inspect.Parameter("name", keyword, annotation=Annotated[str, typer.Argument(help="Name of the model.")]),
        inspect.Parameter("sql", keyword, default=None, annotation=Annotated[
            Path | None, typer.Option(help="A file with a CREATE MODEL statement, instead of the options.")]),
        inspect.Parameter("replace", keyword, default=False, annotation=Annotated[
            bool, typer.Option("--replace", help="Add a version where the model exists.")]),
    ]  # fmt: skip
    for field in options.fields(BehaviorOptions).values():
        kinds = {"int": int, "float": float}
        kind: Any = kinds.get(str(field.type), list[str] if field.metadata.get("kind") == options.NAMES else str)
        shown = "" if field.default in (None, ()) else f" Default: {field.default}."
        flag = typer.Option(
            f"--{field.name.replace('_', '-')}", help=field.metadata["help"] + shown, show_default=False
        )
        parameters.append(inspect.Parameter(field.name, keyword, default=None, annotation=Annotated[kind | None, flag]))

    def run(**given: Any) -> None:  # noqa: ANN401
        command(**given)

    run.__doc__, run.__name__ = command.__doc__, command.__name__
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return run


app.command("train")(_with_option_flags(train))


@app.command()
def query(
    db: Database,
    sql: Annotated[str, typer.Argument(help="SQL, or - to read it from standard input.")],
    format: Annotated[
        Format | None, typer.Option(help="How to write the result. Default: by the ending of --output, else a table.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Write to this file instead of standard output.")] = None,
) -> None:
    """Run SQL, with model functions, and show the result of the last statement."""
    if format is Format.parquet and output is None:
        raise typer.BadParameter("--format parquet needs --output FILE")
    form = format or _format_of(output)
    script = sys.stdin.read() if sql == "-" else sql
    with _open(db, read_only=_only_reads(script)) as con:
        relation = con.sql(script)
        if relation is None:
            return
        if form is Format.table:
            shown = _table(relation)
            print(shown) if output is None else output.write_text(f"{shown}\n", encoding="utf-8")
        else:
            _export(con, relation, form, output)


@app.command()
def score(
    db: Database,
    model: Annotated[str, typer.Argument(help="Name of the model.")],
    to: Annotated[
        str, typer.Option(help="A table (replaced where sqlml wrote it before), or a .parquet, .csv or .json file.")
    ],
    as_of: Annotated[str | None, typer.Option(help="Score at this moment. Default: the newest event.")] = None,
) -> None:
    """Score every customer into a table or file, for a BI tool to read."""
    to_file = Path(to).suffix.lower() in (".parquet", ".csv", ".json")
    with _open(db, read_only=to_file) as con:
        version = con.catalog().version(model)
        if isinstance(version.options, QueryOptions):
            raise ModelError(
                f"{model} is a model of rows, not of customers: FROM ml.predict('{model}', 'SELECT ...') scores rows."
            )
        function = con.catalog().main_function(version.version_id)
        moment = f"{literal(as_of)}::TIMESTAMP" if as_of else "(SELECT as_of FROM ml.latest)"
        has_customers = bool(behavior.read(con.native).customers)
        ids = queries.text(f"functions/all_ids{'_with_customers' if has_customers else ''}")
        call = f"{identifier(function)}(customer_id{f', {moment}' if as_of else ''})"
        select = f"SELECT customer_id, {moment} AS as_of, {call} AS {identifier(function)} FROM ({ids})"
        if to_file:
            rows = con.execute(f"COPY ({select}) TO {literal(to)}").fetchall()[0][0]
        else:
            rows = _write_scores(con, to, select)
        _tell(f"Scored {rows:,} customers with {model} version {version.version} into {to}.")


@app.command("report")
def report_command(
    db: Database,
    model: Annotated[str, typer.Argument(help="Name of the model.")],
    version: Annotated[int | None, typer.Option(help="Its version. Default: the promoted one.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write. Default: the model's name and .html.")
    ] = None,
) -> None:
    """Write what is known of a model to one HTML page, for a phone, a desktop or paper.

    It has the metrics with their 90 % intervals beside those of simpler methods, the warnings, charts of the rows
    held out (two classes: ROC, precision and recall, calibration, gain, lift; a number: predicted and actual,
    residuals), which columns matter, the training, and the record. It needs no network and loads no model.

      sqlml report churn -o churn.html
    """
    report = _report()
    path = output or Path(report.file_name(model))
    if not path.parent.is_dir():
        raise DataError(f"There is no folder {path.parent} to write {path.name} to.")
    if path.exists() and db.exists() and path.samefile(db):
        raise DataError(f"{path} is the database itself: name another file, e.g. -o {report.file_name(model)}")
    with _open(db, read_only=True) as con:
        found = con.catalog().version(model, version)
        path.write_text(report.page(con.native, found), encoding="utf-8")
    _tell(f"Wrote the report of {model} version {found.version} to {path}.")


@app.command()
def models(db: Database) -> None:
    """List the models with their promoted versions."""
    with _open(db, read_only=True) as con:
        _show(con, "SHOW MODELS")


@app.command()
def drop(
    db: Database,
    name: Annotated[str, typer.Argument(help="Name of the model.")],
    if_exists: Annotated[bool, typer.Option("--if-exists", help="No error where there is none.")] = False,
) -> None:
    """Remove a model, its versions and its functions."""
    with _open(db) as con:
        is_there = name in con.catalog().models()
        con.execute(f"DROP MODEL {'IF EXISTS ' if if_exists else ''}{identifier(name)}").fetchall()
        _tell(f"Dropped {name}." if is_there else f"There was no model {name}.")


def _report() -> ModuleType:
    """What only this command needs, and takes a while to load."""
    try:
        return import_module("sqlml.report")
    except ModuleNotFoundError as error:
        raise SqlmlError(f"A report needs {error.name}: pip install 'sqlml[report]'") from error


def _format_of(output: Path | None) -> Format:
    ending = output.suffix.lower().removeprefix(".") if output else ""
    return Format(ending) if ending in Format.__members__ else Format.table


def _only_reads(script: str) -> bool:
    """Whether a script can run on a file opened read-only, beside others that read it."""
    from sqlml.statements import Foreign, ShowModels, parse  # noqa: PLC0415

    kinds = duckdb.StatementType
    return all(
        all(found.type in (kinds.SELECT, kinds.EXPLAIN) for found in duckdb.extract_statements(statement.text))
        if isinstance(statement, Foreign)
        else isinstance(statement, ShowModels)
        for statement in parse(script)
    )


@contextmanager
def _open(db: Path, *, read_only: bool = False) -> Iterator[Connection]:
    """An existing database: a misspelt path must not make a new one."""
    if not db.exists():
        raise DataError(f"There is no database {db}. `sqlml map --db {db}` or `sqlml demo` makes one.")
    with sqlml.connect(db, read_only=read_only) as con:
        yield con


def _nth(name: str, values: Sequence[str] | None, index: int, sources: int) -> str | None:
    if not values:
        return None
    if len(values) not in (1, sources):
        flag = f"--{name.replace('_', '-')}"
        raise typer.BadParameter(f"{flag} is given {len(values)} times for {sources} --events: once, or once for each")
    return values[0] if len(values) == 1 else values[index]


def _statement_of(file: Path, name: str) -> str:
    from sqlml.statements import CreateModel, parse  # noqa: PLC0415

    script = file.read_text(encoding="utf-8")
    statements = parse(script)
    found = [s.name for s in statements if isinstance(s, CreateModel)]
    if len(statements) != 1 or found != [name]:
        raise ModelError(f"{file} must hold one statement, CREATE MODEL {name}; it holds {len(statements)}, "
                         f"of them CREATE MODEL: {', '.join(found) or 'none'}.")  # fmt: skip
    return script


def _sql(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_sql, value))}]"
    return literal(value) if isinstance(value, str) else str(value)


def _write_scores(con: Connection, name: str, select: str) -> int:
    """Fill a table; only one that was written here before is replaced."""
    schema, _, table = name.rpartition(".")
    if schema.lower() in ("ml", "behavior"):
        raise DataError(f"Schema {schema} is not for scores: name a table of another schema, e.g. --to {table}_today.")
    query = "SELECT comment FROM duckdb_tables() WHERE table_name ILIKE ? AND schema_name ILIKE ?"
    existing = con.execute(query, [table, schema or "main"]).fetchall()
    if existing and existing[0][0] != SCORES:
        raise DataError(f"There is a table {name} that sqlml did not write: drop it, or name another.")
    target = f"{identifier(schema or 'main')}.{identifier(table)}"
    con.execute("BEGIN").fetchall()
    rows = con.execute(f"CREATE OR REPLACE TABLE {target} AS {select}").fetchall()[0][0]
    con.execute(f"COMMENT ON TABLE {target} IS {literal(SCORES)}; COMMIT").fetchall()
    return int(rows)


def _show_record(con: Connection, statement: str) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    if not sys.stderr.isatty():
        _tell("Training; this takes a minute or more. On a terminal a bar shows how far it is.")
    rows = con.execute(statement).fetchall()
    table = Table(show_header=False, box=None, pad_edge=False)
    previous = ""
    for topic, item, detail in rows:
        table.add_row(topic if topic != previous else "", item, detail)
        previous = topic
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False, markup=False)
    with console.capture() as captured:
        console.print(table)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))


def _show(con: Connection, sql: str) -> None:
    relation = con.sql(sql)
    if relation is not None:
        print(_table(relation))


def _table(relation: duckdb.DuckDBPyRelation) -> str:
    return str(relation).rstrip("\n")


def _export(con: Connection, relation: duckdb.DuckDBPyRelation, form: Format, output: Path | None) -> None:
    """Write a file; for standard output, by way of one."""
    repeated = {name for name in relation.columns if relation.columns.count(name) > 1}
    if repeated:
        raise DataError(f"The result has the column {sorted(repeated)[0]} twice: name them apart with AS.")
    options = {Format.csv: ", HEADER", Format.json: ", ARRAY true"}.get(form, "")
    with tempfile.TemporaryDirectory() as folder:
        path = output or Path(folder) / "result"
        con.register("sqlml_result", relation.to_arrow_table())
        columns = zip(map(identifier, relation.columns), map(str, relation.types), strict=True)
        finite = [
            _finite(name) if form is Format.json and kind in ("FLOAT", "DOUBLE") else name for name, kind in columns
        ]
        select = f"SELECT {', '.join(finite)} FROM sqlml_result"
        con.execute(f"COPY ({select}) TO {literal(str(path))} (FORMAT {form.value}{options})").fetchall()
        if output is None:
            sys.stdout.write(path.read_text(encoding="utf-8"))


def _finite(column: str) -> str:
    """JSON knows no NaN and no infinity."""
    return f"CASE WHEN isfinite({column}) THEN {column} END AS {column}"


def _locked(message: str) -> str:
    if "lock" in message.lower() and "conflicting" in message.lower():
        return f"{message}\nAnother process has the file open for writing: close it there. Reading alone can be shared."
    return message


def _tell(message: str) -> None:
    print(message, file=sys.stderr)


def _say(message: str, code: int) -> int:
    _tell(message)
    return code
