"""The command line of the life of a model, and its shell."""

import io
import subprocess
import sys

import duckdb
import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.document import Document
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput
from typer.testing import CliRunner

import sqlml
from sqlml import shell
from sqlml.cli import app
from sqlml.errors import ModelError, SqlmlError
from tests.conftest import one

ROWS = "SELECT i, hash(i) % 997 AS x, hash(i) % 997 > 400 AS y FROM range(400) t(i)"


@pytest.fixture(scope="module")
def db(tmp_path_factory):
    path = tmp_path_factory.mktemp("commands") / "m.duckdb"
    with sqlml.connect(path) as con:
        con.execute(f"CREATE TABLE t AS {ROWS}").fetchall()
        con.execute(
            "CREATE MODEL m OPTIONS (label = 'y', key = 'i', method = 'logistic', folds = 2) AS FROM t"
        ).fetchall()
    return path


def command(db, *words):
    done = CliRunner().invoke(app, [*words, "--db", str(db)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize("way", [["-m", "sqlml"], ["-c", "from sqlml.cli import main; main()"]])
def test_each_way_in_says_an_error_in_a_line(way, tmp_path):
    asked = [sys.executable, *way, "models", "--db", str(tmp_path / "none.duckdb")]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: There is no database")
    assert "Traceback" not in done.stderr


def test_the_life_of_a_model(db, tmp_path):
    file = tmp_path / "m.sqlml"
    assert "task classification, method logistic" in command(db, "describe", "m")
    assert "training SQL" in command(db, "explain", "m")
    assert "log_loss" in command(db, "evaluate", "m")
    assert "explanation" in command(db, "explain", "m", "--for", "FROM t LIMIT 2")
    assert "n_rows" in command(db, "evaluate", "m", "--version", "1", "--on", "FROM t")
    assert "log_loss" in command(db, "retrain", "m", "--gate", "--option", "threshold=0.4", "--option", "columns=['x']")
    assert "promoted_version" in command(db, "promote", "m", "1")
    assert "promoted_version" in command(db, "rollback", "m")
    assert "bytes" in command(db, "export", "m", str(file), "--version", "1")
    assert file.exists()
    assert "version 1, task classification" in command(db, "import", "copy", str(file))
    assert "version 2, task classification" in command(db, "import", "copy", str(file), "--replace")
    assert "renamed_from" in command(db, "rename", "copy", "a copy")
    command(db, "drop", "a copy", "--version", "1")
    with sqlml.connect(db) as con:
        assert con.execute("SELECT model, version FROM ml.versions ORDER BY ALL").fetchall() == [
            ("a copy", 2),
            ("m", 1),
            ("m", 2),
        ]
        assert one(con, "SELECT options->>'threshold' FROM ml.versions WHERE model = 'm' AND version = 2") == "0.4"
    command(db, "drop", "a copy")
    command(db, "drop", "m", "--version", "1")


def test_the_command_line_says_what_is_wrong(db):
    with pytest.raises(ModelError, match="one of rows"):
        command(db, "backtest", "m", "--from", "2025-01-01", "--to", "2025-02-01", "--every", "1 month")
    assert CliRunner().invoke(app, ["retrain", "m", "--option", "width", "--db", str(db)]).exit_code == 2


@pytest.mark.parametrize(
    "words", [("query", "SELECT 1 AS x", "--output"), ("query", "FROM t", "--format", "csv", "--output"), ("export", "m")]
)  # fmt: skip
def test_the_database_is_not_written_over(db, words):
    before = db.read_bytes()
    with pytest.raises(SqlmlError, match=r"the database itself|no exported model"):
        command(db, *words, str(db))
    assert db.read_bytes() == before


def test_a_file_is_written_whole_or_not_at_all(db, tmp_path):
    (tmp_path / "out.csv").write_text("before")
    with pytest.raises(duckdb.Error):
        command(db, "query", "SELECT error('no') AS x", "--output", str(tmp_path / "out.csv"))
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("out.csv", "before")]
    command(db, "query", "SELECT 1 AS x", "--output", str(tmp_path / "out.csv"))
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("out.csv", "x\n1\n")]


def test_what_was_dropped_is_what_was_there(db):
    assert "There was no version 9 of m." in command(db, "drop", "m", "--version", "9", "--if-exists")
    assert "There was no model absent." in command(db, "drop", "absent", "--if-exists")


def test_reading_commands_open_the_file_for_reading(db, tmp_path):
    with sqlml.connect(db, read_only=True):
        for words in (["describe", "m"], ["explain", "m"], ["evaluate", "m"], ["evaluate", "m", "--on", "FROM t"]):
            command(db, *words)
        command(db, "export", "m", str(tmp_path / "m.sqlml"))
        command(db, "query", "DESCRIBE MODEL m")


def test_the_shell_reads_standard_input_and_stops_at_an_error(db, monkeypatch, capsys):
    script = "SELECT 'a;b' AS text; SELECT 41 + 1;\ndescribe model m; SELECT nothing; SELECT 'never'"
    monkeypatch.setattr(sys, "stdin", io.StringIO(script))
    with sqlml.connect(db) as con, pytest.raises(sqlml.connection.duckdb.BinderException):
        shell.run(con)
    shown = capsys.readouterr().out
    assert shown.index("a;b") < shown.index("42") < shown.index("task classification")
    assert "never" not in shown


def test_the_shell_prompts(db, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("pathlib.Path.home", lambda: tmp_path)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    typed = ".help\rSELECT 1 +\r41 AS answer;\rSELECT nothing;\r.models\rSELECT 43;\r.quit\r"
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()), sqlml.connect(db) as con:
        keys.send_text(typed)
        shell.run(con)
    told = capsys.readouterr()
    assert "EVALUATE MODEL name" in told.out
    assert "42" in told.out
    assert "43" in told.out
    assert "functions" in told.out
    assert "Error: Binder Error" in told.err
    assert "41 AS answer" in (tmp_path / shell.HISTORY).read_text()


@pytest.mark.parametrize(
    ("typed", "completed"),
    [("EVAL", "EVALUATE MODEL"), ("SELECT m_sc", "m_score"), ("FROM t", "t"), (".mo", ".models")],
)
def test_the_shell_completes_names(db, typed, completed):
    with sqlml.connect(db, read_only=True) as con:
        found = [each.text for each in shell.Names(con).get_completions(Document(typed), None)]
    assert completed in found
