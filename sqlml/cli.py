"""The command line: thin; every command opens the database, runs SQL and shows a result."""

from __future__ import annotations

import inspect
import os
import shutil
import signal
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, Annotated, Any, Literal

import duckdb
import typer

import sqlml
from sqlml import demo, options, terminal
from sqlml.errors import DataError, ModelError, SqlmlError
from sqlml.files import require_database, whole
from sqlml.options import BehaviorOptions
from sqlml.progress import on_stderr
from sqlml.queries import identifier, literal
from sqlml.terminal import Format

if TYPE_CHECKING:
    import sqlml.behavior
    import sqlml.cutoffs
    import sqlml.mapping
    import sqlml.scoring
    from sqlml.catalog import Version
    from sqlml.connection import Connection

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
Model = Annotated[str, typer.Argument(help="Name of the model.")]
NoFormulas = Annotated[
    bool, typer.Option("--no-formulas", help="CSV: put ' before a text that a spreadsheet would compute.")
]
Projection = Literal["pca", "tsne"]
Number = Annotated[int | None, typer.Option("--version", help="Its version. Default: the promoted one.")]
DEMO_MODELS = (
    "CREATE MODEL churn OPTIONS (task = 'churn', horizon = INTERVAL 90 DAY, attributes = ['plan'], folds = 2)",
    "CREATE MODEL clv OPTIONS (task = 'clv', horizon = INTERVAL 90 DAY, method = 'bgnbd', max_cutoffs = 1, folds = 2)",
    "CREATE MODEL segment OPTIONS (task = 'segment', method = 'forecast', k = 5, max_cutoffs = 1)",
    "CREATE MODEL recommend OPTIONS (task = 'recommend', method = 'rules', repeat = false)",
)
"""With set-up they take less than two minutes: the default method of clv would compile for half a minute more."""
DEMO_QUERIES = (
    "SELECT customer_id, spend, churn_score(customer_id) AS churn, spend * churn_score(customer_id) AS at_risk "
    "FROM (SELECT customer_id, sum(amount) AS spend FROM behavior.events WHERE event_time > DATE '2026-04-01' "
    "GROUP BY customer_id) ORDER BY at_risk DESC LIMIT 5",
    "SELECT plan, count(*) AS customers, avg(churn_score(customer_id)) AS churn FROM behavior.customers GROUP BY plan",
    "SELECT customer_id, clv(customer_id), clv_interval(customer_id) FROM behavior.customers ORDER BY 2 DESC LIMIT 5",
    "FROM clv_curve(7)",
    "SELECT segment, name, customers, share, revenue_share FROM ml.segments('segment')",
    "SELECT unnest(recommend(7, 5), recursive := true)",
    "SELECT churn_score(7) AS today, churn_score(7, DATE '2026-01-01') AS at_new_year",
)


def main() -> None:
    """Run the command line. Exit codes: 0, 1 (the user's error), 2 (usage), 130 (interrupted)."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding="utf-8")
    signal.signal(signal.SIGINT, _interrupted)
    warnings.showwarning = lambda message, *_: terminal.tell(f"Warning: {message}")
    try:
        app()
    except BrokenPipeError:  # `sqlml query … | head`: whoever read has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        sys.exit(_say(f"Error: {error.strerror or error}: {error.filename or ''}".rstrip(": "), 1))
    except (SqlmlError, duckdb.Error) as error:
        sys.exit(_say(f"Error: {terminal.with_advice(str(error))}", 1))


def _interrupted(number: int, frame: FrameType | None) -> None:
    """Leave at once: an exception could be swallowed inside a callback, and a killed transaction leaves no trace."""
    if sys.stderr.isatty():
        sys.stderr.write("\x1b[?25h\n")  # a bar has hidden the cursor
    terminal.tell("Interrupted; a statement that had not ended has written nothing.")
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
    customers: Annotated[int, typer.Option(help="Customers of the generated shop.", min=500)] = 8_000,
) -> None:
    """Generate a shop, train four models on it, and query them: offline, in one to two minutes."""
    if db.exists():
        raise DataError(f"{db} exists already. Remove it, or name another file: sqlml demo --db other.duckdb")
    with sqlml.connect(db) as con:
        terminal.tell(f"Writing a shop of {customers:,} customers to {db}. Then {len(DEMO_MODELS)} models are trained: "
                      "all together takes one to two minutes on two cores.")  # fmt: skip
        demo.write_shop(con.native, customers)
        for statement in DEMO_MODELS:
            terminal.tell(f"sqlml> {statement};")
            terminal.show_record(con, statement)
        for query in DEMO_QUERIES:
            terminal.say(f"sqlml> {query};")
            terminal.show(con, query)
    program = _program()
    terminal.say(f"""Type next:
  {program} query --db {db} "FROM ml.scoreboard WHERE is_model AND population = 'all'"
  {program} query --db {db} "SELECT unnest(churn_explain(7)[:5], recursive := true)"
  {program} score churn --db {db} --to churn_today
  {program} map --help        # the same on your own tables""")


def _program() -> str:
    """How the command line is called here: by its name where that is found, else as it was called now."""
    called, found = Path(sys.argv[0]), shutil.which("sqlml")
    if called.stem != "sqlml" or (found and called.exists() and called.samefile(found)):
        return "sqlml"
    return str(called)


@app.command("map")
def map_command(
    db: Database,
    events: Annotated[
        list[str] | None, typer.Option(help="A table, view, Parquet or CSV file of events. Repeatable.")
    ] = None,
    customer: Annotated[list[str] | None, typer.Option(help="A column or SQL expression: the customer's id.")] = None,
    time: Annotated[list[str] | None, typer.Option(help="A column or SQL expression: the time of the event.")] = None,
    time_format: Annotated[
        list[str] | None, typer.Option(help="The format of that time, as of strptime, e.g. '%d/%m/%Y %H:%M'.")
    ] = None,
    type: Annotated[list[str] | None, typer.Option(help="A column or SQL expression: the type of the event.")] = None,
    type_value: Annotated[list[str] | None, typer.Option(help="One type for all events of the source.")] = None,
    item: Annotated[list[str] | None, typer.Option(help="A column or SQL expression: the item's id.")] = None,
    amount: Annotated[list[str] | None, typer.Option(help="A column or SQL expression: money of the event.")] = None,
    quantity: Annotated[list[str] | None, typer.Option(help="A column or SQL expression: how many items.")] = None,
    decimal: Annotated[list[str] | None, typer.Option(help="The decimal mark of numbers kept as text: . or ,")] = None,
    known_at: Annotated[
        list[str] | None, typer.Option(help="A column or SQL expression: when the row was known.")
    ] = None,
    where: Annotated[list[str] | None, typer.Option(help="An SQL condition: which rows are events.")] = None,
    customers: Annotated[str | None, typer.Option(help="A table or file with one row a customer.")] = None,
    customer_key: Annotated[str | None, typer.Option(help="A column or SQL expression of it: the id.")] = None,
    items: Annotated[str | None, typer.Option(help="A table or file with one row an item.")] = None,
    item_key: Annotated[str | None, typer.Option(help="A column or SQL expression of it: the id.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the SQL, write nothing.")] = False,
) -> None:
    """Write the views of schema behavior over your tables or files, and show the SQL.

    Obvious column names are found by themselves, and how times and numbers are written is found from the whole column.
    With several --events, give each other option once for all of them, or once for each in the same order; '' means
    the source has none.

      sqlml map --events orders --customer client_no --time ordered_at --amount "price * quantity"

      sqlml map --events visits.parquet --type-value visit --events orders.parquet --type-value purchase

      sqlml map --events log.json --customer "payload->>'$.user'" --time-format "%d/%m/%Y %H:%M"
    """
    if not (events or customers or items):
        raise typer.BadParameter("name at least one of --events, --customers, --items")
    given = {"customer": customer, "time": time, "type": type, "type_value": type_value, "item": item,
             "amount": amount, "quantity": quantity, "known_at": known_at, "where": where,
             "time_format": time_format, "decimal": decimal}  # fmt: skip
    sources = _sources(events or (), given)
    with sqlml.connect(db if db.exists() else ":memory:") as con:
        views = _views(con, sources, (customers, customer_key), (items, item_key))
    script = "CREATE SCHEMA IF NOT EXISTS behavior;\n" + "\n".join(view.sql for view in views if view.sql)
    terminal.say(script)
    for note in (note for view in views for note in view.notes):
        terminal.tell(f"Note: {note}")
    if dry_run:
        return
    require_database(db)
    with sqlml.connect(db) as con:
        sqlml.mapping.write(con.native, script)
        next_step = _training_of(con, db) if sources else ""
    terminal.tell(f"Written. Next: sqlml check --db {db}{next_step and f', then {next_step}'}")


@app.command()
def check(db: Database) -> None:
    """Report every breach of the behaviour contract, with counts and the SQL that shows the rows."""
    with terminal.open_database(db, read_only=True) as con:
        relations = sqlml.behavior.read(con.native)
        known = sqlml.behavior.facts(con.native)
        terminal.say(f"{known.n_events:,} events of {known.n_customers:,} customers, "
              f"{known.oldest_event:%Y-%m-%d %H:%M} to {known.newest_event:%Y-%m-%d %H:%M} (UTC)")  # fmt: skip
        findings = list(sqlml.behavior.check(con.native, relations, ("error", "warning", "note")))
        for finding in findings:
            terminal.say(f"{finding.severity}: {finding.count:,} {finding.text}\n    {' '.join(finding.sql.split())};")
        next_step = _training_of(con, db)
    if any(f.severity == "error" for f in findings):
        raise DataError("The behaviour tables break the contract: see the errors above.")
    terminal.say("No errors.")
    terminal.tell(f"Next: {next_step}")


def _training_of(con: Connection, db: Path) -> str:
    """A command that trains, with a horizon that fits the data."""
    known = sqlml.behavior.facts(con.native)
    horizon = sqlml.cutoffs.proposed(known.newest_event - known.first_event)
    days, hours = horizon // timedelta(days=1), horizon // timedelta(hours=1)
    return f"sqlml train churn --db {db} --horizon {f'{days}d' if days else f'{hours}h'}"


def train(db: Path, name: str, sql: Path | None, replace: bool, **given: object) -> None:
    """Train a model and show its record.

    sqlml train churn --horizon 90d

    sqlml train churn --horizon 13w --attributes plan --attributes country --replace

    sqlml train churn --sql churn.sql     # any CREATE MODEL statement
    """
    if sql is not None:
        with terminal.open_database(db) as con:
            _show_training(con, _statement_of(sql, name))
        return
    values = {key: value for key, value in given.items() if value is not None and value != []}
    pairs = ", ".join(f"{key} = {_sql(value)}" for key, value in values.items())
    with terminal.open_database(db) as con:
        _require_new(con, name, replace=replace)
        terminal.announce_training()
        terminal.show_record(
            con, f"CREATE {'OR REPLACE ' if replace else ''}MODEL {identifier(name)} OPTIONS ({pairs})"
        )


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
    no_formulas: NoFormulas = False,
) -> None:
    """Run SQL, with model functions, and show the result of the last statement."""
    if format is Format.parquet and output is None:
        raise typer.BadParameter("--format parquet needs --output FILE")
    form = format or terminal.format_of(output)
    script = sys.stdin.read() if sql == "-" else sql
    with terminal.open_database(db, read_only=terminal.only_reads(script)) as con:
        relation = con.sql(script)
        if relation is None:
            return
        terminal.write(con, relation, form, output, no_formulas=no_formulas)


@app.command()
def score(
    db: Database,
    model: Annotated[str, typer.Argument(help="Name of the model.")],
    to: Annotated[
        str, typer.Option(help="A table (replaced where sqlml wrote it before), or a .parquet, .csv or .json file.")
    ],
    as_of: Annotated[str | None, typer.Option(help="Score at this moment. Default: the newest event.")] = None,
    no_formulas: NoFormulas = False,
) -> None:
    """Score every customer into a table or file, for a BI tool to read.

    Many customers are scored part by part. Run the same command again after a run that was stopped, and it goes on.

      sqlml score churn --to churn_today

      sqlml score churn --to churn.parquet --as-of 2026-01-01
    """
    path = Path(to) if Path(to).suffix.lower() in sqlml.scoring.FORMATS else None
    with terminal.open_database(db, read_only=path is not None) as con, on_stderr(f"Scoring {model}") as stage:
        sink: sqlml.scoring.Sink = (
            sqlml.scoring.Table(con, to) if path is None else sqlml.scoring.File(con, path, no_formulas)
        )
        job = sqlml.scoring.job(con, model, as_of)
        done = sink.begin(job)
        if done:
            terminal.tell(f"Going on with the run that was stopped: {done} of {job.parts} parts are written.")
        sqlml.scoring.score(con, job, sink, stage("parts"), done)
        terminal.tell(f"Scored {job.customers:,} customers with {model} version {job.version} into {to}.")


@app.command("report")
def report_command(
    db: Database,
    model: Annotated[str, typer.Argument(help="Name of the model.")],
    version: Annotated[int | None, typer.Option(help="Its version. Default: the promoted one.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write. Default: the model's name and .html.")
    ] = None,
    layout: Annotated[
        Projection, typer.Option("--map", help="How segments are laid out: principal components, or t-SNE.")
    ] = "pca",
) -> None:
    """Write what is known of a model to one HTML page, for a phone, a desktop or paper.

    It has the metrics with their 90 % intervals beside those of simpler methods, the warnings, charts of the rows
    held out (two classes: ROC, precision and recall, calibration, gain, lift; a number: predicted and actual,
    residuals), which columns matter, the training, and the record. Of segments it has a map, a heat map of their
    profiles and who moved between them. It needs no network and loads no model.

      sqlml report churn -o churn.html
    """
    report = _report()
    path = output or Path(report.file_name(model))
    with terminal.open_database(db, read_only=True) as con, whole(con.native, path) as file:
        found = con.catalog().version(model, version)
        file.write_text(_page(report, con.native, found, layout), encoding="utf-8")
    terminal.tell(f"Wrote the report of {model} version {found.version} to {path}.")


@app.command()
def models(db: Database) -> None:
    """List the models with their promoted versions."""
    with terminal.open_database(db, read_only=True) as con:
        terminal.show(con, "SHOW MODELS")


@app.command()
def describe(db: Database, model: Model, version: Number = None) -> None:
    """Show the record of a model: what it predicts, how it was tested, what it was trained on."""
    _run(db, f"DESCRIBE MODEL {identifier(model)}{_numbered(version)}", read_only=True)


@app.command()
def explain(
    db: Database,
    model: Model,
    version: Number = None,
    rows: Annotated[str | None, typer.Option("--for", help="A query: explain the answer to each of its rows.")] = None,
    sql: Annotated[bool, typer.Option("--sql", help="Show the SQL that it was trained from instead.")] = False,
) -> None:
    """Show how a model was made, or why rows get the answers they get.

    sqlml explain churn

    sqlml explain churn --for "SELECT customer_id FROM behavior.customers LIMIT 3"
    """
    if sql:
        _show_training_sql(db, model, version)
        return
    given = f" FOR {rows}" if rows else ""
    _run(db, f"EXPLAIN MODEL {identifier(model)}{_numbered(version)}{given}", read_only=True)


@app.command()
def evaluate(
    db: Database,
    model: Model,
    version: Number = None,
    on: Annotated[str | None, typer.Option(help="A query: evaluate on its rows instead.")] = None,
) -> None:
    """Show the metrics of a model, of its test or of rows that a query gives.

    sqlml evaluate churn

    sqlml evaluate churn --on "SELECT customer_id, TIMESTAMP '2025-06-01' AS as_of FROM behavior.customers"
    """
    given = f" ON {on}" if on else ""
    _run(db, f"EVALUATE MODEL {identifier(model)}{_numbered(version)}{given}", read_only=True)


@app.command()
def backtest(
    db: Database,
    model: Model,
    start: Annotated[str, typer.Option("--from", help="The first cut-off, e.g. 2025-01-01.")],
    end: Annotated[str, typer.Option("--to", help="No cut-off lies after it.")],
    every: Annotated[str, typer.Option(help="The distance between cut-offs, e.g. '1 month'.")],
) -> None:
    """Retrain the recipe of a model at each cut-off and test it on the window after it.

    sqlml backtest churn --from 2025-01-01 --to 2025-07-01 --every "1 month"
    """
    _run(db, f"BACKTEST MODEL {identifier(model)} FROM {literal(start)} TO {literal(end)} EVERY {literal(every)}")


@app.command()
def retrain(
    db: Database,
    model: Model,
    gate: Annotated[bool, typer.Option("--gate", help="Promote it only where it is not worse than before.")] = False,
    option: Annotated[list[str] | None, typer.Option(help="KEY=VALUE, an option that changes. Repeatable.")] = None,
) -> None:
    """Run the recipe of a model again on what the data are now: a new version, promoted.

    sqlml retrain churn

    sqlml retrain churn --gate --option width=64
    """
    pairs = [f"gate = {gate}".lower(), *map(_pair, option or ())]
    _run(db, f"ALTER MODEL {identifier(model)} RETRAIN OPTIONS ({', '.join(pairs)})")


@app.command()
def promote(db: Database, model: Model, version: Annotated[int, typer.Argument(help="Its version.")]) -> None:
    """Let the functions of a model be those of one of its versions."""
    _run(db, f"ALTER MODEL {identifier(model)} PROMOTE VERSION {version}")


@app.command()
def rollback(db: Database, model: Model) -> None:
    """Go back to the version that was promoted before."""
    _run(db, f"ALTER MODEL {identifier(model)} ROLLBACK")


@app.command()
def rename(db: Database, model: Model, to: Annotated[str, typer.Argument(help="Its new name.")]) -> None:
    """Give a model and its functions another name."""
    _run(db, f"ALTER MODEL {identifier(model)} RENAME TO {identifier(to)}")


@app.command("export")
def export_command(
    db: Database,
    model: Model,
    file: Annotated[Path, typer.Argument(help="The file to write, e.g. churn.sqlml.")],
    version: Number = None,
    rows: Annotated[
        bool, typer.Option("--rows/--no-rows", help="Whether the rows of inputs that explanations start from go along.")
    ] = True,
) -> None:
    """Write a model to one file that another database can import."""
    given = "" if rows else " OPTIONS (rows = false)"
    sql = f"EXPORT MODEL {identifier(model)}{_numbered(version)} TO {literal(str(file))}{given}"
    _run(db, sql, read_only=True)


@app.command("import")
def import_command(
    db: Database,
    model: Model,
    file: Annotated[Path, typer.Argument(help="A file that export wrote.")],
    replace: Annotated[bool, typer.Option("--replace", help="Add a version where the model exists.")] = False,
) -> None:
    """Take a model from a file, check it, and make its functions."""
    sql = f"IMPORT {'OR REPLACE ' if replace else ''}MODEL {identifier(model)} FROM {literal(str(file))}"
    with terminal.open_database(db) as con:
        _require_new(con, model, replace=replace)
        terminal.run(con, sql)


@app.command()
def drop(
    db: Database,
    name: Model,
    version: Annotated[int | None, typer.Option("--version", help="One version. Default: the model with all.")] = None,
    if_exists: Annotated[bool, typer.Option("--if-exists", help="No error where there is none.")] = False,
) -> None:
    """Remove a model, its versions and its functions, or one version that is not promoted."""
    with terminal.open_database(db) as con:
        numbers = con.catalog().numbers(name)
        condition = "IF EXISTS " if if_exists else ""
        con.execute(f"DROP MODEL {condition}{identifier(name)}{_numbered(version)}").fetchall()
    what = f"model {name}" if version is None else f"version {version} of {name}"
    is_there = bool(numbers) if version is None else version in numbers
    terminal.tell(f"Dropped {what}." if is_there else f"There was no {what}.")


@app.command()
def shell(
    db: Database,
    read_only: Annotated[bool, typer.Option("--read-only", help="Open the file for reading alone.")] = False,
) -> None:
    """Open a prompt for SQL and the statements of sqlml, with history and completion; .help says more."""
    prompt = import_module("sqlml.shell")
    with terminal.open_database(db, read_only=read_only) as con:
        prompt.run(con)


def _show_training_sql(db: Path, model: str, number: int | None) -> None:
    with terminal.open_database(db, read_only=True) as con:
        found = con.catalog().version(model, number)
        query = "SELECT coalesce(query, input_sql) FROM ml.versions WHERE version_id = ?"
        terminal.say(con.execute(query, [found.version_id]).fetchall()[0][0])


def _require_new(con: Connection, name: str, *, replace: bool) -> None:
    """Name the flag before anything is done.

    Raises:
        ModelError: The model exists, and no version is to be added.
    """
    if not replace and name in con.catalog().models():
        raise ModelError(f"There is a model '{name}' already. --replace adds a version to it; sqlml drop removes it.")


def _show_training(con: Connection, statement: str) -> None:
    terminal.announce_training()
    terminal.show_record(con, statement)


def _run(db: Path, statement: str, *, read_only: bool = False) -> None:
    with terminal.open_database(db, read_only=read_only) as con:
        terminal.run(con, statement)


def _numbered(version: int | None) -> str:
    return f" VERSION {version}" if version is not None else ""


def _pair(text: str) -> str:
    """KEY=VALUE as an option of SQL: a number, a list or a truth as it stands, all else as text."""
    key, equals, value = text.partition("=")
    if not equals:
        raise typer.BadParameter(f"--option {text}: write KEY=VALUE, e.g. --option width=64")
    is_plain = value.lower() in ("true", "false", "null") or value.startswith("[") or _is_number(value)
    return f"{identifier(key.strip())} = {value if is_plain else literal(value)}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _page(report: ModuleType, native: duckdb.DuckDBPyConnection, version: Version, layout: str) -> str:
    try:
        page: str = report.page(native, version, layout)
    except ModuleNotFoundError as error:
        raise SqlmlError(
            f"A map by t-SNE needs scikit-learn: pip install 'sqlml[tsne]'. Missing: {error.name}."
        ) from error
    return page


def _report() -> ModuleType:
    """What only this command needs, and takes a while to load."""
    try:
        return import_module("sqlml.report")
    except ModuleNotFoundError as error:
        raise SqlmlError(f"A report needs {error.name}: pip install 'sqlml[report]'") from error


def _sources(events: Sequence[str], given: Mapping[str, Sequence[str] | None]) -> list[sqlml.mapping.EventSource]:
    """Each source with the options that are its own."""
    if unknown := set(given["decimal"] or ()) - {".", ","}:
        raise typer.BadParameter(f"--decimal {unknown.pop()}: the decimal mark is . or ,")
    sources = []
    for i, relation in enumerate(events):
        columns = {name: _nth(name, values, i, len(events)) for name, values in given.items()}
        sources.append(sqlml.mapping.EventSource(relation, **columns))
    return sources


def _views(
    con: Connection,
    sources: Sequence[sqlml.mapping.EventSource],
    customers: tuple[str | None, str | None],
    items: tuple[str | None, str | None],
) -> list[sqlml.mapping.View]:
    """The views over the events, over (relation, key) of the customers, or the ids of the events, and of the items."""
    views = [sqlml.mapping.events_view(con.native, sources)] if sources else []
    if customers[0]:
        views.append(sqlml.mapping.entity_view(con.native, "customers", "customer_id", customers[0], customers[1]))
    elif sources:
        views.append(sqlml.mapping.View(sqlml.behavior.ids_view(con.native)))
    if items[0]:
        views.append(sqlml.mapping.entity_view(con.native, "items", "item_id", items[0], items[1]))
    return views


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


def _say(message: str, code: int) -> int:
    terminal.tell(message)
    return code
