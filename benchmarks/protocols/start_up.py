"""Seconds from nothing: the help of the command line, the first score of a fresh process, each beside its imports.

Every run is a process of its own; both sides take turns, five repeats each after one that warms up the file system and
leaves Python's byte code. `ratio` is that of the medians; below the goal is good.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import sqlml
from benchmarks import timing
from benchmarks.report import Row
from sqlml import demo

HELP = "import sys; sys.argv = ['sqlml', '--help']; from sqlml.cli import main; main()"
SCORE = """
import sys, sqlml
with sqlml.connect(sys.argv[1], read_only=True) as con:
    assert 0 < con.execute("SELECT churn_score(7)").fetchall()[0][0] < 1
"""
HELP_GOAL, SCORE_GOAL = "ratio <= 2.0", "ratio <= 2.5"
QUICK_REPEATS = 1


def run(*, is_quick: bool) -> list[Row]:
    """Two comparisons."""
    repeats = QUICK_REPEATS if is_quick else timing.REPEATS
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shop.duckdb"
        with sqlml.connect(path) as con:
            demo.write_shop(con.native, 2_000, 500)
            con.execute("""CREATE MODEL churn OPTIONS (
                task = 'churn', horizon = INTERVAL 60 DAY, epochs = 3, folds = 2, max_cutoffs = 1)""").fetchall()
        return [
            *_compared("sqlml --help", HELP, "import typer, duckdb", HELP_GOAL, path, repeats),
            *_compared("first score, fresh process", SCORE, "import jax", SCORE_GOAL, path, repeats),
        ]


def _compared(case: str, ours: str, bare: str, goal: str, path: Path, repeats: int) -> Iterator[Row]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

    def process(script: str) -> None:
        command = [sys.executable, "-c", script, str(path)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)

    process(ours)
    process(bare)
    found = timing.turns(lambda: process(ours), lambda: process(bare), repeats)
    mine, other = timing.compared(found)
    yield {"case": case, "side": "sqlml", **mine, "goal": goal}
    yield {"case": case, "side": bare, **other}
