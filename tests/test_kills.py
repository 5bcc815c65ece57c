"""A process killed at any moment leaves a file that opens, with the old state or the new one."""

import random
import signal
import subprocess
import sys
import threading
import time

import pytest

import sqlml
from tests.conftest import one

ROWS = "SELECT i, hash(i) % 500 AS x, hash(i) % 500 > 250 AS y FROM range(600) t(i)"
CREATE = f"CREATE OR REPLACE MODEL m OPTIONS (label = 'y', key = 'i', method = 'logistic', folds = 2) AS {ROWS}"
SCRIPT = """
import sys, sqlml
from sqlml.catalog import Catalog
run = Catalog._run
def told(self, query, parameters=None):
    if query.startswith(("INSERT", "CREATE OR REPLACE MACRO", "COMMIT")):
        print("writing", flush=True)
    run(self, query, parameters)
Catalog._run = told
with sqlml.connect(sys.argv[1]) as con:
    print("ready", flush=True)
    while True:
        for statement in sys.argv[2:]:
            con.execute(statement).fetchall()
"""
STATEMENTS = {
    "create": [CREATE],
    "retrain": [f"ALTER MODEL m RETRAIN OPTIONS (gate = true, folds = {folds})" for folds in (3, 2)],
    "promote": ["ALTER MODEL m PROMOTE VERSION 1", "ALTER MODEL m PROMOTE VERSION 2"],
    "import": ["IMPORT OR REPLACE MODEL m FROM '{archive}'"],
    "rename": ["ALTER MODEL n RENAME TO o", "ALTER MODEL o RENAME TO n"],
    "drop": ["IMPORT MODEL p FROM '{archive}'", "DROP MODEL p"],
}
LONGEST = {"create": 6.0, "retrain": 6.0, "promote": 0.5, "import": 2.0, "rename": 0.5, "drop": 2.0}
"""Seconds after which the process is killed at the latest: a first training takes about four."""
MOST_WRITES = 40
"""One kill in two comes while something is written: after so many writes at most."""
KILLS, LONG_KILLS = 4, 20
SEED = 20

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL"),
]


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    path = tmp_path_factory.mktemp("kills") / "m.sqlml"
    with sqlml.connect() as con:
        con.execute(CREATE).fetchall()
        con.execute(f"EXPORT MODEL m TO '{path}'").fetchall()
    return path


@pytest.mark.parametrize("kind", STATEMENTS)
def test_killed_at_random_moments(tmp_path, archive, kind, is_long, tally):
    path, rng = tmp_path / "killed.duckdb", random.Random(f"{SEED} {kind}")
    with sqlml.connect(path) as con:
        for _ in range(2):
            con.execute(CREATE).fetchall()
        con.execute(f"IMPORT MODEL n FROM '{archive}'").fetchall()
    statements = [statement.format(archive=archive) for statement in STATEMENTS[kind]]
    for number in range(LONG_KILLS if is_long else KILLS):
        if number % 2:
            _kill(path, statements, delay=rng.uniform(0, LONGEST[kind]))
        else:
            _kill(path, statements, writes=rng.randrange(1, MOST_WRITES))
        with sqlml.connect(path) as con:
            _require_whole(con)
            tally["kills"] += 1
            for left in {"o", "p"} & set(con.catalog().models()):  # the next process begins as the first did
                con.execute("ALTER MODEL o RENAME TO n" if left == "o" else "DROP MODEL p").fetchall()


def _kill(path, statements, delay=0.0, writes=0):
    command = [sys.executable, "-c", SCRIPT, str(path), *statements]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        for _ in range(writes):
            assert process.stdout.readline() == "writing\n"
        threading.Thread(target=process.stdout.read, daemon=True).start()  # or the pipe fills and it waits
        time.sleep(delay)
        assert process.poll() is None, "it ended before it could be killed"
        process.kill()


def _require_whole(con):
    """Every version has all of its parts, nothing belongs to none, and the functions answer."""
    versions = one(con, "SELECT count(*) FROM ml.versions")
    assert versions >= 2
    for table in ("weights", "macros", "functions", "metrics", "features", "predictions"):
        parts = f"SELECT count(DISTINCT version_id), count_if(version_id NOT IN (SELECT version_id FROM ml.versions)) FROM ml.{table}"
        assert con.execute(parts).fetchall() == [(versions, 0)], table
    assert (
        one(con, "SELECT count(*) FROM ml.models JOIN ml.versions USING (version_id) WHERE ml.models.model = 'm'") == 1
    )
    last = "SELECT version_id FROM ml.promotions WHERE model = 'm' ORDER BY promoted_at DESC, rowid DESC LIMIT 1"
    assert one(con, last) == one(con, "SELECT version_id FROM ml.models WHERE model = 'm'")
    for model in con.catalog().models():
        assert one(con, f"SELECT {model}_score({{'x': 400}})") > 0.5 > one(con, f"SELECT {model}_score({{'x': 100}})")
    assert set(con.catalog().models()) in ({"m", "n"}, {"m", "o"}, {"m", "n", "p"})
