"""The house rules that no linter knows: packaging, documents, import weight, the command line as a process."""

import json
import re
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import duckdb
import pytest

import sqlml
from sqlml import demo, options, queries
from sqlml.cli import app
from sqlml.options import BehaviorOptions, QueryOptions
from sqlml.statements import FORMS
from sqlml.tasks import METHODS, RANKERS, TASKS
from tests.conftest import copy_to

ROOT = Path(__file__).parents[1]
COMMANDS = [c.name or c.callback.__name__ for c in app.registered_commands]


def sqlml_command(*arguments):
    code = "from sqlml.cli import main; main()"
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)


def test_every_package_of_the_tree_is_installed():
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"])
    found = {".".join(p.parent.relative_to(ROOT).parts) for p in (ROOT / "sqlml").rglob("__init__.py")}
    assert listed == found | {"sqlml.udfs", "sqlml.sql"}


@pytest.mark.parametrize("path", [p.relative_to(ROOT / "sql") for p in (ROOT / "sql").rglob("*.sql")], ids=str)
def test_every_sql_file_begins_with_its_name_and_purpose(path):
    assert queries.read(path.with_suffix("").as_posix()).purpose


def test_tasks_name_what_exists():
    for task in TASKS:
        assert queries.read(f"functions/{task.macros}")
        assert set(task.methods) <= {*METHODS, *RANKERS, "blend"}


@pytest.mark.parametrize("command", COMMANDS)
def test_the_readme_names_every_command(command):
    assert f"sqlml {command}" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_readme_lists_every_statement():
    assert "\n".join(FORMS) in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_documents_name_files_that_exist():
    for document in ("README.md", "CONTRIBUTING.md"):
        for path in re.findall(
            r"`((?:sqlml|sql|udfs|tests|benchmarks)/[\w/.-]*)`", (ROOT / document).read_text(encoding="utf-8")
        ):
            assert (ROOT / path).exists(), f"{document} names {path}"


def test_the_readme_lists_every_option():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    names = {**options.fields(BehaviorOptions), **options.fields(QueryOptions)}
    assert [name for name in names if f"`{name}`" not in readme] == []


@pytest.mark.parametrize(
    "code", ["import sqlml", "import sqlml.cli", "import sqlml; sqlml.connect().execute('SELECT 1').close()"]
)
def test_nothing_loads_jax_before_a_model_runs(code):
    check = f"{code}\nimport sys, json; print(json.dumps([m for m in ('jax', 'flax', 'optax') if m in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == []


def test_exit_codes_and_one_clear_line(tmp_path):
    assert sqlml_command("--help").returncode == 0
    missing = sqlml_command("models", "--db", str(tmp_path / "no.duckdb"))
    assert missing.returncode == 1
    assert missing.stderr.startswith("Error: There is no database")
    assert "Traceback" not in missing.stderr
    assert sqlml_command("train").returncode == 2
    assert sqlml_command("query", "--db", "x", "--format", "yaml", "SELECT 1").returncode == 2


def test_scores_replace_nothing_but_scores(shop, tmp_path):
    path = tmp_path / "keep.duckdb"
    copy_to(shop, path, "CREATE TABLE copied.important AS SELECT 1 AS x")
    for to, message in (
        ("ml.versions", "not for scores"),
        ("behavior.events", "not for scores"),
        ("important", "did not write"),
    ):
        done = sqlml_command("score", "churn", "--db", str(path), "--to", to)
        assert (done.returncode, message in done.stderr) == (1, True), done.stderr
    for _ in range(2):
        assert sqlml_command("score", "churn", "--db", str(path), "--to", "churn_today").returncode == 0


def test_reading_can_be_shared(shop, tmp_path):
    path = tmp_path / "shared.duckdb"
    copy_to(shop, path)
    with duckdb.connect(str(path), read_only=True):
        for command in (
            ["query", "SELECT churn_score(7)"],
            ["models"],
            ["check"],
            ["score", "churn", "--to", str(tmp_path / "s.csv")],
        ):
            done = sqlml_command(*command, "--db", str(path))
            assert done.returncode == 0, done.stderr


def test_a_file_with_more_than_the_model_is_refused_before_anything_runs(shop, tmp_path):
    path, file = tmp_path / "two.duckdb", tmp_path / "two.sql"
    duckdb.connect(str(path)).close()
    file.write_text("CREATE TABLE t AS SELECT 1; CREATE MODEL q OPTIONS (horizon = '30 days')")
    done = sqlml_command("train", "q", "--db", str(path), "--sql", str(file))
    assert (done.returncode, "must hold one statement" in done.stderr) == (1, True)
    with duckdb.connect(str(path)) as con:
        assert con.execute("SELECT count(*) FROM duckdb_tables()").fetchall() == [(0,)]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="POSIX signals")
@pytest.mark.parametrize("delay", [0.8, 1.4, 2.5, 5.0])
def test_ctrl_c_ends_a_training_at_once(tmp_path, delay):
    path = tmp_path / "interrupted.duckdb"
    with sqlml.connect(path) as con:
        demo.write_shop(con.native, customers=2000, days=500)
    code = "from sqlml.cli import main; main()"
    train = [
        sys.executable,
        "-c",
        code,
        "train",
        "churn",
        "--db",
        str(path),
        "--horizon",
        "60d",
        "--epochs",
        "500",
        "--patience",
        "500",
    ]
    with subprocess.Popen(train, stderr=subprocess.PIPE, text=True) as process:
        time.sleep(delay)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert process.returncode in (130, -signal.SIGINT)  # the latter while Python itself still starts
    assert "Traceback" not in errors or process.returncode == -signal.SIGINT
    with sqlml.connect(path) as con:
        assert con.execute("SHOW MODELS").fetchall() == []


def test_query_formats_and_score(shop, tmp_path):
    path = tmp_path / "cli.duckdb"
    copy_to(shop, path)
    db = ("--db", str(path))
    assert "churn" in sqlml_command("models", *db).stdout
    assert sqlml_command("query", *db, "SELECT 1 AS a, 'x' AS b", "--format", "csv").stdout.split() == [
        "a,b",
        "1,x",
    ]
    assert json.loads(sqlml_command("query", *db, "SELECT 1 AS a", "--format", "json").stdout) == [{"a": 1}]
    assert "column a twice" in sqlml_command("query", *db, "SELECT 1 AS a, 2 AS a", "--format", "json").stderr
    numbers = "SELECT 'nan'::FLOAT AS a, 5::HUGEINT AS b, NULL AS c"
    assert json.loads(sqlml_command("query", *db, numbers, "--format", "json").stdout) == [
        {"a": None, "b": 5, "c": None}
    ]
    out = tmp_path / "out.parquet"
    assert sqlml_command("query", *db, "SELECT 1 AS a", "--output", str(out)).returncode == 0
    assert shop.execute(f"SELECT a FROM '{out}'").fetchall() == [(1,)]
    assert sqlml_command("score", "churn", *db, "--to", "churn_today").returncode == 0
    scored = sqlml_command(
        "query", *db, "SELECT count(*), count(churn_score) > 0 FROM churn_today", "--format", "csv"
    ).stdout
    assert scored.splitlines()[1] == "1500,true"
    assert (
        sqlml_command("score", "churn", *db, "--to", str(tmp_path / "s.csv"), "--as-of", "2026-01-01").returncode == 0
    )
    assert sqlml_command("drop", "churn", *db).returncode == 0
    assert "no model named 'churn'" in sqlml_command("score", "churn", *db, "--to", "x").stderr
