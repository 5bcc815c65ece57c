"""Seconds and peak memory as the events grow tenfold and a hundredfold: training, features, scores of everyone.

Generated events in a file on disk, EVENTS_EACH a customer; each stage is a process of its own, with DuckDB's
memory_limit at 3 GB. `growth` is how much longer a stage takes than with the size before, for each event: 1 is as the
data grow. `peak_gib` is the most memory that the process ever held, DuckDB's and Python's together.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import sqlml
from benchmarks import data
from benchmarks.protocols import scoring_speed
from benchmarks.report import Row
from benchmarks.timing import peak
from sqlml import scoring

SIZES, QUICK_SIZES = (1_000_000, 10_000_000, 100_000_000), (20_000, 40_000)
STAGES = ("training", "features", "scoring")
MEMORY = "3GB"
CREATE = "CREATE MODEL churn OPTIONS (task = 'churn', horizon = INTERVAL 60 DAY)"
GOALS = "growth <= 1.15, peak_gib <= 6"
SCRIPT = "import sys; from benchmarks.protocols import growth; growth.stage(*sys.argv[1:])"


def run(*, is_quick: bool) -> list[Row]:
    """Every stage of every size."""
    rows: list[Row] = []
    before: dict[str, tuple[int, float]] = {}
    for size in QUICK_SIZES if is_quick else SIZES:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "events.duckdb"
            with sqlml.connect(path, memory_limit=MEMORY) as con:
                data.write_events(con.native, size)
            for name in STAGES:
                command = [sys.executable, "-W", "ignore", "-c", SCRIPT, name, str(path)]
                done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
                found = json.loads(done.stdout)
                row: dict[str, object] = {"events": size, "stage": name, **found, "growth": None, "goal": GOALS}
                row["events_per_second"] = size / found["seconds"]
                if name in before:
                    smaller, seconds = before[name]
                    row["growth"] = found["seconds"] / seconds / (size / smaller)
                before[name] = size, found["seconds"]
                rows.append(row)
                print(row, file=sys.stderr)
    return rows


def stage(name: str, path: str) -> None:
    """Run one stage; print its seconds and the peak of memory as JSON."""
    with sqlml.connect(path, memory_limit=MEMORY) as con:
        started = time.monotonic()
        if name == "training":
            con.execute(CREATE).fetchall()
        elif name == "features":
            con.execute(scoring_speed.features_query(con)).fetchall()
        else:
            sink, job = scoring.Table(con, "scores"), scoring.job(con, "churn", None)
            scoring.score(con, job, sink, lambda *_: None, sink.begin(job))
        print(json.dumps({"seconds": time.monotonic() - started, "peak_gib": peak()}))
