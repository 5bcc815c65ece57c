"""The house rules that no linter knows: packaging, documents, import weight, the command line as a process."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from sqlml import options, queries
from sqlml.cli import app
from sqlml.tasks import METHODS, TASKS

ROOT = Path(__file__).parents[1]
COMMANDS = [c.name or c.callback.__name__ for c in app.registered_commands]


def sqlml_command(*arguments):
    code = "from sqlml.cli import main; main()"
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)


def test_every_package_of_the_tree_is_installed():
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    found = {".".join(p.parent.relative_to(ROOT).parts) for p in (ROOT / "sqlml").rglob("__init__.py")}
    assert listed == found | {"sqlml.udfs", "sqlml.sql"}


@pytest.mark.parametrize("path", [p.relative_to(ROOT / "sql") for p in (ROOT / "sql").rglob("*.sql")], ids=str)
def test_every_sql_file_begins_with_its_name_and_purpose(path):
    assert queries.read(path.with_suffix("").as_posix()).purpose


def test_tasks_name_what_exists():
    for task in TASKS.values():
        assert queries.read(f"labels/{task.label}")
        assert set(task.methods) <= set(METHODS)
        assert set(task.label_options) <= set(options.fields())


@pytest.mark.parametrize("command", COMMANDS)
def test_the_readme_names_every_command(command):
    assert f"sqlml {command}" in (ROOT / "README.md").read_text()


def test_the_documents_name_files_that_exist():
    for document in ("README.md", "CONTRIBUTING.md"):
        for path in re.findall(r"`((?:sqlml|sql|udfs|tests|benchmarks)/[\w/.-]*)`", (ROOT / document).read_text()):
            assert (ROOT / path).exists(), f"{document} names {path}"


def test_the_readme_lists_every_option():
    readme = (ROOT / "README.md").read_text()
    assert [name for name in options.fields() if f"`{name}`" not in readme] == []


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


def test_query_formats_and_score(shop, tmp_path):
    path = tmp_path / "cli.duckdb"
    shop.execute(f"ATTACH '{path}' AS cli").fetchall()
    shop.execute("COPY FROM DATABASE shop TO cli").fetchall()
    shop.execute("DETACH cli").fetchall()
    db = ("--db", str(path))
    assert "churn" in sqlml_command("models", *db).stdout
    assert sqlml_command("query", *db, "SELECT 1 AS a, 'x' AS b", "--format", "csv").stdout.split() == [
        "a,b",
        "1,x",
    ]
    assert json.loads(sqlml_command("query", *db, "SELECT 1 AS a", "--format", "json").stdout) == [{"a": 1}]
    out = tmp_path / "out.parquet"
    assert sqlml_command("query", *db, "SELECT 1 AS a", "--format", "parquet", "--output", str(out)).returncode == 0
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
