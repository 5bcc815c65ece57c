"""What can go wrong around a database: each time a clear message, and what stood before stands."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from itertools import combinations_with_replacement
from pathlib import Path

import duckdb
import pytest

import sqlml
from sqlml.catalog import OF_VERSION, Catalog
from sqlml.errors import CatalogError, ModelError
from tests.conftest import copy_to, one

pytestmark = pytest.mark.faults

ROWS = "SELECT i, hash(i) % 500 AS x, hash(i) % 500 > 250 AS y FROM range(600) t(i)"
CREATE = f"CREATE OR REPLACE MODEL m OPTIONS (label = 'y', key = 'i', method = 'logistic', folds = 2) AS {ROWS}"
SCORE = "SELECT m_score({'x': 400}), m_score({'x': 100})"

TRAIN = CREATE.partition(" MODEL m ")[2]
WRITING = {
    "create": f"CREATE MODEL n {TRAIN}",
    "replace": f"CREATE OR REPLACE MODEL m {TRAIN.replace('folds = 2', 'folds = 2, versions_kept = 1')}",
    "retrain": "ALTER MODEL m RETRAIN",
    "import": "IMPORT MODEL n FROM '{file}'",
    "import over": "IMPORT OR REPLACE MODEL m FROM '{file}'",
    "drop": "DROP MODEL m",
    "drop a version": "DROP MODEL m VERSION 2",
    "promote": "ALTER MODEL m PROMOTE VERSION 2",
    "roll back": "ALTER MODEL m ROLLBACK",
    "rename": "ALTER MODEL m RENAME TO n",
}
"""Statements that change models; two of them race."""
RETRAINED = "retrain"
LONG = {
    "net": "CREATE MODEL n OPTIONS (label = 'y', method = 'net', epochs = 5000, patience = 5000) AS SELECT hash(i) % 500 AS x, hash(i) % 500 > 250 AS y FROM range(4000) t(i)",
    "a query": "CREATE MODEL n OPTIONS (label = 'y') AS SELECT sum(a.i * b.i) % 7 AS x, a.i > 250 AS y FROM range(200000) a(i), range(2000000) b(i) GROUP BY a.i",
    "retrain": "ALTER MODEL m RETRAIN OPTIONS (method = 'net', epochs = 5000, patience = 5000)",
}  # fmt: skip
"""Statements that take long."""


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    path = tmp_path_factory.mktemp("faults") / "template.duckdb"
    with sqlml.connect(path) as con:
        con.execute(CREATE).fetchall()
    return path


@pytest.fixture(scope="module")
def three_versions(template, tmp_path_factory):
    folder = tmp_path_factory.mktemp("races")
    path, file = shutil.copy(template, folder / "three.duckdb"), folder / "m.sqlml"
    with sqlml.connect(path) as con:
        con.execute(f"{CREATE}; {CREATE}; EXPORT MODEL m TO '{file}'").fetchall()
    return path, {name: text.format(file=file) for name, text in WRITING.items()}


@pytest.fixture
def path(template, tmp_path):
    """A file with a model m of its own."""
    return shutil.copy(template, tmp_path / "m.duckdb")


@pytest.fixture
def as_before(path):
    """What must be so after a fault as it was before."""

    def state():
        with sqlml.connect(path) as con:
            return con.execute(SCORE).fetchall(), con.execute("SELECT model, version_id FROM ml.versions").fetchall()

    before = state()
    yield
    assert state() == before


def process(script, *arguments, **options):
    """A Python script in a process of its own."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", script, *map(str, arguments)],
        capture_output=True, text=True, check=False, timeout=300, **options,
    )  # fmt: skip


def command(*arguments):
    return process("from sqlml.cli import main; main()", *arguments)


def require_told(done, *words):
    """One message, no traceback."""
    assert done.returncode == 1, done
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("Error: ")
    for word in words:
        assert word in done.stderr


class TestDamage:
    @pytest.mark.parametrize(
        "change",
        ["safetensors[1:50]", "unhex(hex(safetensors)[:-9] || '12345678')", "''::BLOB", "'\\xFF\\xFF\\xFF\\xFF\\xFF\\xFF\\xFF\\x7F'::BLOB || safetensors", "'{\"a\": 1}'::BLOB"],
        ids=["cut", "other bytes", "empty", "a header without end", "another format"],
    )  # fmt: skip
    def test_weights(self, path, change, tally):
        with sqlml.connect(path) as con:
            net = CREATE.replace("method = 'logistic'", "epochs = 2, members = 2, width = 8")
            for name in ("m", "other"):
                con.execute(net.replace("MODEL m", f"MODEL {name}")).fetchall()
            cut = change.replace("safetensors[1:50]", "from_hex(hex(safetensors)[:100])")
            con.execute(f"UPDATE ml.weights SET safetensors = {cut} WHERE version_id IN "
                        "(SELECT version_id FROM ml.models WHERE model = 'm')").fetchall()  # fmt: skip
        with sqlml.connect(path) as con:
            with pytest.raises(
                (CatalogError, duckdb.Error), match=r"weights of model 'm', version \d, are missing or damaged"
            ):
                con.execute("SELECT m_score(t) FROM (SELECT 3 AS x) t").fetchall()
            assert one(con, "SELECT other_score({'x': 400})") > 0
            assert con.execute("DROP MODEL m").fetchall() == [(True,)]
            tally["faults"] += 1

    @pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.97])
    def test_a_file_cut_short(self, path, share, tally):
        """A message; or where nothing was in what is lost, the answer."""
        size = path.stat().st_size
        with path.open("r+b") as file:
            file.truncate(int(size * share) or 100)
        done = command("query", "SELECT m_score({'x': 400}) > 0.5 AS is_high", "--format", "csv", "--db", path)
        if done.returncode == 0:
            assert done.stdout.split() == ["is_high", "true"]
        else:
            require_told(done)
        tally["faults"] += 1

    def test_a_file_of_another_kind(self, tmp_path, tally):
        path = tmp_path / "thesis.duckdb"
        path.write_text("no database at all\n" * 1000)
        require_told(command("models", "--db", path), "not a valid DuckDB")
        assert path.read_text().startswith("no database")
        tally["faults"] += 1

    def test_a_foreign_schema(self, tmp_path, tally):
        path = tmp_path / "theirs.duckdb"
        with duckdb.connect(str(path)) as con:
            con.execute("CREATE SCHEMA ml; CREATE TABLE ml.models AS SELECT 'thesis' AS content").fetchall()
        require_told(command("models", "--db", path), "did not make", "another database file")
        with duckdb.connect(str(path)) as con:
            assert con.execute("FROM ml.models").fetchall() == [("thesis",)]
        tally["faults"] += 1

    def test_a_version_from_the_future(self, path, tally):
        with duckdb.connect(str(path)) as con:
            con.execute("UPDATE ml.schema_version SET version = 99").fetchall()
        require_told(command("models", "--db", path), "catalogue version 99", "Upgrade sqlml")
        tally["faults"] += 1


@pytest.mark.usefixtures("as_before")
class TestNoPlace:
    """Nowhere to write to, or not enough room."""

    LIMITED = """
import resource, signal, sys, sqlml
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with sqlml.connect(sys.argv[1]) as con:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
    try:
        con.execute(sys.argv[3]).fetchall()
    except Exception as error:
        print(type(error).__name__, error)
    else:
        print("written")
"""

    @pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
    @pytest.mark.parametrize("statement", ["create", "export"])
    def test_a_full_disk(self, path, statement, tmp_path, tally):
        wide = ", ".join(f"hash(i, {k}) % 997 AS x{k}" for k in range(40))
        text = {
            "create": f"CREATE OR REPLACE MODEL m OPTIONS (label = 'y', folds = 2, epochs = 1) AS SELECT {wide}, i % 2 = 0 AS y FROM range(400) t(i)",
            "export": f"EXPORT MODEL m TO '{tmp_path / 'm.sqlml'}'",
        }[statement]
        done = process(self.LIMITED, path, 1000 if statement == "export" else 16_384, text)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(("TransactionException", "IOException", "ModelError")), done.stdout
        assert not (tmp_path / "m.sqlml").exists()
        tally["faults"] += 1

    def test_too_little_memory(self, path, tally):
        rows = "SELECT i, hash(i) AS x, repeat(md5(i::VARCHAR), 50) AS text, i % 2 = 0 AS y FROM range(300_000) t(i)"
        with sqlml.connect(path, memory_limit="40MB", max_temp_directory_size="1MB") as con:
            with pytest.raises(duckdb.OutOfMemoryException, match=r"could not allocate|failed to"):
                con.execute(f"CREATE OR REPLACE MODEL m OPTIONS (label = 'y', folds = 2) AS {rows}").fetchall()
            assert one(con, "SELECT m_score({'x': 400}) > 0.5")
        tally["faults"] += 1

    def test_a_file_opened_for_reading(self, path, tally):
        statements = [CREATE, "DROP MODEL m", "ALTER MODEL m PROMOTE VERSION 1", "ALTER MODEL m RENAME TO n"]
        with sqlml.connect(path, read_only=True) as con:
            for statement in statements:
                with pytest.raises(ModelError, match="read-only"):
                    con.execute(statement).fetchall()
                tally["faults"] += 1
            assert one(con, "SELECT m_score({'x': 400}) > 0.5")

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is read-only for this user")
    def test_a_folder_that_cannot_be_written(self, path, tmp_path, tally):
        tmp_path.chmod(0o500)
        try:
            require_told(command("export", "m", "m.sqlml", "--db", path))
        finally:
            tmp_path.chmod(0o700)
        tally["faults"] += 1

    def test_a_file_held_by_another_process(self, path, tally):
        script = "import sys, duckdb; con = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
        with subprocess.Popen(
            [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as holder:
            assert holder.stdout.readline() == "held\n"
            require_told(command("query", "SELECT 1", "--db", path), "close it there")
            holder.communicate("")
        tally["faults"] += 1


class TestInterrupted:
    SCRIPT = """
import os, signal, sys, threading, sqlml
with sqlml.connect(sys.argv[1]) as con:
    con.execute(sys.argv[3]).fetchall()  # an interrupted import of a module in C breaks it for the whole process
    delay, is_stopped = float(sys.argv[2]), threading.Event()
    def press():  # again, as one does: Python loses what falls into a callback of its collector
        while not is_stopped.wait(delay):
            os.kill(os.getpid(), signal.SIGINT)
    threading.Thread(target=press, daemon=True).start()
    try:
        while not is_stopped.is_set():
            con.execute(sys.argv[3]).fetchall()
    except (KeyboardInterrupt, RuntimeError, sqlml.connection.duckdb.Error) as error:
        is_stopped.set()
        print("stopped by", type(error).__name__)
    print(con.execute("SELECT count(*) > 0, bool_and(score >= 0) FROM (SELECT m_score({'x': i}) AS score FROM range(5000) t(i))").fetchall())
    print(con.execute("SELECT count(*) FROM ml.versions v ANTI JOIN ml.weights w USING (version_id)").fetchall())
    con.execute(sys.argv[3]).fetchall()
"""

    @pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
    @pytest.mark.parametrize("delay", [0.3, 1.0, 2.0, 3.5])
    @pytest.mark.parametrize("kind", ["training", "scoring"])
    def test_the_connection_can_be_used_after(self, path, kind, delay, tally):
        statement = {
            "training": CREATE.replace("method = 'logistic'", "epochs = 40, members = 2, width = 16"),
            "scoring": "SELECT sum(m_score({'x': i % 500})) FROM range(300_000) t(i)",
        }[kind]
        done = process(self.SCRIPT, path, delay, statement)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("stopped by"), done
        assert done.stdout.splitlines()[1:] == ["[(True, True)]", "[(0,)]"]
        tally["interrupts"] += 1

    @pytest.mark.parametrize("word", ["BEGIN", "COMMIT"])
    @pytest.mark.parametrize("is_done", [False, True])
    def test_at_the_edges_of_a_transaction(self, path, monkeypatch, word, is_done, tally):
        run, statements = Catalog._run, []
        net = CREATE.replace("method = 'logistic'", "epochs = 6, members = 2, width = 8")

        def interrupted(store, query, *given):
            if query == word:
                statements.append(query)
                if is_done:
                    run(store, query, *given)
                raise KeyboardInterrupt
            return run(store, query, *given)

        with sqlml.connect(path) as con:
            monkeypatch.setattr(Catalog, "_run", interrupted)
            with pytest.raises(KeyboardInterrupt):
                con.execute(net)
            monkeypatch.undo()
            assert statements
            assert one(con, "SELECT m_score({'x': 400}) > m_score({'x': 100})")
            assert one(con, "SELECT count(*) FROM ml.versions") == 1 + (word == "COMMIT" and is_done)
            con.execute(CREATE).fetchall()
        tally["interrupts"] += 1

    @pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
    def test_the_command_line_says_so(self, path, tally):
        text = CREATE.replace("method = 'logistic'", "epochs = 400, patience = 400")
        script = "from sqlml.cli import main; main()"
        with subprocess.Popen(
            [sys.executable, "-c", script, "query", "--db", path, text], stderr=subprocess.PIPE, text=True
        ) as running:
            time.sleep(6)
            running.send_signal(signal.SIGINT)
            _, told = running.communicate(timeout=60)
        assert running.returncode == 130
        assert "had not ended has written nothing" in told
        assert "Traceback" not in told
        with sqlml.connect(path) as con:
            assert one(con, "SELECT count(*) FROM ml.versions") == 1
        tally["interrupts"] += 1


class TestInterruptedByAnotherThread:
    """`con.interrupt()` ends a statement of ours as it ends a query of DuckDB."""

    @pytest.mark.usefixtures("as_before")
    @pytest.mark.parametrize("what", LONG)
    @pytest.mark.parametrize("delay", [0.2, 3.0])
    def test_a_training(self, path, what, delay, tally):
        with sqlml.connect(path) as con:
            timer = threading.Timer(delay, con.interrupt)
            timer.start()
            with pytest.raises(duckdb.InterruptException):
                con.execute(LONG[what])
            assert one(con, "SELECT m_score({'x': 400}) > 0.5")
            assert con.catalog().models() == ["m"]
        tally["interrupts"] += 1

    def test_a_wait_for_another_that_writes(self, path, tally):
        with sqlml.connect(path) as con, Catalog(con.cursor().native, "m").transaction():
            timer = threading.Timer(0.5, con.interrupt)
            timer.start()
            with pytest.raises(duckdb.InterruptException):
                con.execute("ALTER MODEL m RENAME TO n")
        with sqlml.connect(path) as con:
            assert con.catalog().models() == ["m"]
        tally["interrupts"] += 1

    @pytest.mark.usefixtures("as_before")
    def test_a_script_between_its_statements(self, path, monkeypatch, tally):
        with sqlml.connect(path) as con:
            describe = con._execute

            def stopped(statement, parameters):
                describe(statement, parameters)
                con._asked_to_stop.set()

            monkeypatch.setattr(con, "_execute", stopped)
            with pytest.raises(duckdb.InterruptException):
                con.execute("SHOW MODELS; DROP MODEL m")
            assert con.catalog().models() == ["m"]
        tally["interrupts"] += 1


class TestForked:
    SCRIPT = """
import os, sys, warnings
warnings.simplefilter("ignore")  # Python and JAX warn of the fork itself
import sqlml
con = sqlml.connect(sys.argv[1])
con.execute(sys.argv[2]).fetchall()
ways = [lambda: con.execute(sys.argv[2]), con.cursor, con.catalog, lambda: con.table("ml.models"), lambda: con.native,
        lambda: con.register_behavior(), lambda: con.attach("b.duckdb"), lambda: sqlml.connect(sys.argv[1])]
if os.fork() == 0:
    for way in ways:
        try:
            way()
        except sqlml.SqlmlError as error:
            print(error, flush=True)
    with sqlml.connect() as own:
        print(own.execute("SELECT 1").fetchall(), flush=True)
    os._exit(0)
os.wait()
print(con.execute("SELECT m_score({'x': 400}) > 0.5").fetchall())
"""

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
    def test_a_child_is_told_and_the_parent_goes_on(self, path, tally):
        done = process(self.SCRIPT, path, SCORE)
        assert done.returncode == 0, done.stderr
        *told, own, answer = done.stdout.splitlines()
        assert len(told) == 8
        assert all("opened before the process was forked" in each for each in told)
        assert (own, answer) == ("[(1,)]", "[(True,)]")
        tally["faults"] += 1


class TestKilledScoring:
    SCRIPT = """
import sys
from pathlib import Path
import sqlml
from sqlml import scoring
scoring.PART_CUSTOMERS = 100
with sqlml.connect(sys.argv[1], read_only=sys.argv[2] != "scores") as con:
    sink = scoring.Table(con, "scores") if sys.argv[2] == "scores" else scoring.File(con, Path(sys.argv[2]))
    job = scoring.job(con, "churn", None)
    scoring.score(con, job, sink, lambda part, *_: print("part", part, flush=True), sink.begin(job))
"""

    @pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
    @pytest.mark.parametrize("to", ["scores", "scores.parquet"])
    def test_goes_on_and_has_each_customer_once(self, shop, tmp_path, to, tally):
        path = tmp_path / "killed.duckdb"
        copy_to(shop, path)
        target = to if to == "scores" else str(tmp_path / to)
        begun = []
        for number in range(3):
            with subprocess.Popen(
                [sys.executable, "-c", self.SCRIPT, path, target], stdout=subprocess.PIPE, text=True
            ) as running:
                begun += [int(running.stdout.readline().split()[1]) for _ in range(4)][:1]
                time.sleep(0.03 * number)
                running.kill()
            tally["kills"] += 1
        assert 0 == begun[0] < begun[1] < begun[2]
        done = process(self.SCRIPT, path, target)
        assert done.returncode == 0, done.stderr
        assert int(done.stdout.split()[1]) > begun[2]
        with sqlml.connect(path) as con:
            relation = to if to == "scores" else f"'{target}'"
            query = "SELECT count(*), count(DISTINCT customer_id), count({}) FROM {}"
            scored = one(con, "SELECT count(churn_score(customer_id)) FROM behavior.customers")
            assert con.execute(query.format("churn_score", relation)).fetchall() == [(1500, 1500, scored)]


class TestManyAtOnce:
    def test_two_writers(self, path, tally):
        """Of two that write the same model at once, each is done or told why; none is half there."""
        found = []

        def write(con, number):
            try:
                con.execute(CREATE.replace("OR REPLACE MODEL m", f"MODEL {'same' if number % 2 else 'm2'}")).fetchall()
                found.append("made")
            except (ModelError, duckdb.Error) as error:
                found.append(str(error))

        with sqlml.connect(path) as con:
            threads = [threading.Thread(target=write, args=(con.cursor(), i)) for i in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(120)
            assert found.count("made") == 2, found
            assert all("already" in each or "at the same time" in each for each in found if each != "made"), found
            assert con.catalog().models() == ["m", "m2", "same"]
            assert one(con, "SELECT count(*) FROM ml.versions v JOIN ml.weights USING (version_id)") == 3
            tally["faults"] += 1

    @pytest.mark.parametrize(("one", "other"), [*combinations_with_replacement(WRITING, 2)])
    def test_two_writing_statements(self, three_versions, tmp_path, monkeypatch, is_long, one, other, tally):
        """At once, they end as if one had come after the other; who comes too late is told, and nothing is half there."""
        if not is_long and not {one, other} & {"promote", "rename"}:
            pytest.skip("the long form has all pairs")
        path, statements = three_versions
        texts = [statements[one], statements[other]]
        serial = [self.ended(path, tmp_path, texts, order) for order in ([0, 1], [1, 0])]
        if RETRAINED in (one, other):  # what it trains again may be gone by the time it ends: the other alone is done
            serial.append(self.ended(path, tmp_path, texts, [[one, other].index(RETRAINED) ^ 1]))
        for _ in range(50 if is_long else 1):
            barrier = threading.Barrier(2)
            with monkeypatch.context() as patched:
                patched.setattr(Catalog, "transaction", self.meeting(barrier))
                assert self.ended(path, tmp_path, texts, None, barrier) in serial
            tally["races of two writers"] += 1

    @staticmethod
    def meeting(barrier):
        begin = Catalog.transaction

        def transaction(store):
            with suppress(threading.BrokenBarrierError):
                barrier.wait(60)
            return begin(store)

        return transaction

    def ended(self, path, folder, texts, order, barrier=None):
        """What became of each statement and of the models; run in an order, or at once."""
        told = ["refused", "refused"]

        def write(con, number):
            try:
                con.execute(texts[number]).fetchall()
                told[number] = "done"
            except ModelError:
                pass
            finally:
                if barrier:
                    barrier.abort()

        with sqlml.connect(shutil.copy(path, folder / "race.duckdb")) as con:
            threads = [threading.Thread(target=write, args=(con.cursor(), number)) for number in order or (0, 1)]
            for thread in threads:
                thread.start()
                if order:
                    thread.join(120)
            for thread in threads:
                thread.join(120)
            self.require_whole(con)
            models = "SELECT m.model, v.version FROM ml.models m JOIN ml.versions v USING (version_id) ORDER BY ALL"
            versions = "SELECT model, version FROM ml.versions ORDER BY ALL"
            return told, *(con.execute(query).fetchall() for query in (models, versions))

    @staticmethod
    def require_whole(con):
        """Each model has a version, each version its weights, each function is that of the promoted version."""
        assert one(con, "SELECT count(*) FROM ml.models ANTI JOIN ml.versions USING (version_id, model)") == 0
        for table in OF_VERSION:
            assert one(con, f"SELECT count(*) FROM ml.{table} ANTI JOIN ml.versions USING (version_id)") == 0, table
        assert one(con, "SELECT count(*) FROM ml.versions ANTI JOIN ml.weights USING (version_id)") == 0
        named = "SELECT function_name, macro_definition FROM duckdb_functions() WHERE function_name LIKE '%_score' AND database_name = 'race'"
        promoted = dict(con.execute("SELECT model || '_score', version_id FROM ml.models").fetchall())
        found = dict(con.execute(named).fetchall())
        assert found.keys() == promoted.keys()
        assert all(promoted[name] in text for name, text in found.items())
        for name in promoted:
            assert one(con, f"SELECT {name}({{'x': 400}})") > 0.5

    def test_a_soak_of_threads(self, path, is_long, tally):
        """Eight threads score, train, promote and read: no deadlock, no torn answer, and each gets on."""
        with sqlml.connect(path) as con:
            con.execute(CREATE).fetchall()
            expected = con.execute(SCORE).fetchall()
            begun, errors, done = time.monotonic(), [], Counter()
            work = [
                self.score,
                self.score,
                self.score,
                self.everyone,
                self.everyone,
                self.train,
                self.promote,
                self.read,
            ]

            def goes_on(what):
                """A slow machine gets longer, so that each can finish once; one that never does fails below."""
                seconds = time.monotonic() - begun
                return seconds < (60 if is_long else 8) or (not done[what.__name__] and seconds < 200)

            def repeat(what, cursor):
                while goes_on(what):
                    try:
                        what(cursor, expected)
                        done[what.__name__] += 1
                    except BaseException as error:
                        if "at the same time" not in str(error):
                            errors.append(f"{what.__name__}: {error}")

            threads = [threading.Thread(target=repeat, args=(what, con.cursor()), daemon=True) for what in work]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(240)
            assert not any(thread.is_alive() for thread in threads), "deadlock"
            assert not errors, errors[:3]
            assert done.keys() == {each.__name__ for each in work}
            tally["statements side by side"] += done.total()
            assert one(con, "SELECT count(*) FROM ml.versions v ANTI JOIN ml.weights USING (version_id)") == 0

    @staticmethod
    def score(cursor, expected):
        assert cursor.execute(SCORE).fetchall()[0] == pytest.approx(expected[0], rel=1e-4)

    @staticmethod
    def everyone(cursor, expected):
        high = one(cursor, "SELECT avg(m_score({'x': i % 500})) FROM range(20_000) t(i)")
        assert 0.3 < high < 0.7

    @staticmethod
    def train(cursor, expected):
        cursor.execute(CREATE.replace("folds = 2", "folds = 2, versions_kept = 3")).fetchall()

    @staticmethod
    def promote(cursor, expected):
        numbers = [n for (n,) in cursor.execute("SELECT version FROM ml.versions WHERE model = 'm'").fetchall()]
        try:
            cursor.execute(f"ALTER MODEL m PROMOTE VERSION {min(numbers)}").fetchall()
        except ModelError as error:
            if "has no version" not in str(error):  # dropped since
                raise

    @staticmethod
    def read(cursor, expected):
        assert cursor.execute("SHOW MODELS").fetchall()
        assert cursor.execute("EVALUATE MODEL m").fetchall()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")
def test_memory_stays_flat(path, is_long, tally):
    """Of a process that scores again and again."""

    def resident():
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

    with sqlml.connect(path) as con:

        def rounds(seconds):
            ends = time.monotonic() + seconds
            while time.monotonic() < ends:
                con.execute("SELECT avg(m_score({'x': i % 500})) FROM range(100_000) t(i)").fetchall()
                with sqlml.connect(path) as other:
                    other.execute(SCORE).fetchall()
                tally["rounds of a soak"] += 1

        rounds(60 if is_long else 4)
        before = resident()
        rounds(540 if is_long else 8)
        assert resident() < before + 50
