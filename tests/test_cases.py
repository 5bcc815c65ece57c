"""Runs the tables of `tests/cases`: what a user types, and the right answer, as data.

A file is a list of blocks between empty lines, in the form of DuckDB's own sqllogictest:

    statement ok            SQL that must run
    statement error         SQL that must be refused; behind ---- a part of the message
    query                   SQL; behind ---- its rows, values between tabs or two spaces
    file NAME               writes a file
    command ok | error      a command line; behind ---- parts of what it says
    python ok | error       Python with `con` and `sqlml`; behind ---- a part of what it prints, or of the message

Lines that begin with # are comments. Every file has a database `shop.duckdb` and a folder of its own.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

import sqlml
from sqlml.cli import app

FILES = sorted((Path(__file__).parent / "cases").glob("*.test"))
SEPARATOR = re.compile(r"\t| {2,}")


@dataclass(frozen=True)
class Block:
    """One step: what to do, with what, and the lines that are expected."""

    line: int
    kind: str
    argument: str
    body: str
    expected: list[str]


def blocks(text):
    """The steps of a file."""
    lines, found = text.splitlines(), []
    starts = [i for i, line in enumerate(lines) if line.strip() and (i == 0 or not lines[i - 1].strip())]
    for start in starts:
        end = next((i for i in range(start, len(lines)) if not lines[i].strip()), len(lines))
        code = [(i, line) for i, line in enumerate(lines[start:end], start + 1) if not line.startswith("#")]
        if code:
            (number, head), *rest = code
            body = [line for _, line in rest]
            cut = body.index("----") if "----" in body else len(body)
            kind, _, argument = head.partition(" ")
            found.append(Block(number, kind, argument, "\n".join(body[:cut]), body[cut + 1 :]))
    return found


class Runner:
    """A folder with one database, open while SQL runs and closed while a command does."""

    def __init__(self, folder):
        self.folder, self.open = folder, None

    @property
    def con(self):
        if self.open is None:
            self.open = sqlml.connect(self.folder / "shop.duckdb")
        return self.open

    def close(self):
        if self.open is not None:
            self.open.close()
        self.open = None

    def run(self, block):
        getattr(self, f"_{block.kind}")(block)

    def _statement(self, block):
        self._checked(block, lambda: self.con.execute(block.body).fetchall())

    def _query(self, block):
        rows = self.con.execute(block.body).fetchall()
        shown = [[_text(value) for value in row] for row in rows]
        assert shown == [SEPARATOR.split(line.strip()) for line in block.expected]

    def _file(self, block):
        (self.folder / block.argument).write_text(block.body + "\n", encoding="utf-8")

    def _command(self, block):
        self.close()
        program, *words = shlex.split(block.body.replace("\n", " "))
        assert program == "sqlml"
        result = CliRunner().invoke(app, words, env={"SQLML_DB": "shop.duckdb"})
        said = result.output + (str(result.exception) if result.exception else "")
        assert (result.exit_code == 0) == (block.argument == "ok"), said
        for part in block.expected:
            assert part.strip() in said

    def _python(self, block):
        def run():
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(block.body, {"con": self.con, "sqlml": sqlml})
            if block.argument == "ok":
                for part in block.expected:
                    assert part.strip() in out.getvalue()

        self._checked(block, run)

    def _checked(self, block, run):
        if block.argument == "ok":
            run()
            return
        with pytest.raises((sqlml.SqlmlError, duckdb.Error)) as error:
            run()
        for part in block.expected:
            assert part.strip() in str(error.value)


def _text(value):
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_case(file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runner = Runner(tmp_path)
    try:
        for block in blocks(file.read_text(encoding="utf-8")):
            try:
                runner.run(block)
            except BaseException as error:
                error.add_note(f"{file.name}:{block.line}: {block.kind} {block.argument}\n{block.body}")
                raise
    finally:
        runner.close()
