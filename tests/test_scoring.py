"""Scores of everyone: part by part, each customer once, and a run that was stopped goes on."""

import pytest

import sqlml
from sqlml import scoring
from sqlml.errors import DataError, ModelError
from tests.conftest import copy_to, one

NOWHERE = lambda *_: None  # noqa: E731


class StoppedError(Exception):
    """Stands for a process that ends in the middle."""


@pytest.fixture
def con(shop, tmp_path, monkeypatch):
    monkeypatch.setattr(scoring, "PART_CUSTOMERS", 200)
    copy_to(shop, tmp_path / "scored.duckdb")
    with sqlml.connect(tmp_path / "scored.duckdb") as con:
        yield con


@pytest.fixture(params=["table", "scores.parquet", "scores.csv"])
def sink(request, con, tmp_path):
    return lambda: (
        scoring.Table(con, "scores") if request.param == "table" else scoring.File(con, tmp_path / request.param)
    )


def read(con, sink):
    relation = "scores" if isinstance(sink, scoring.Table) else f"'{sink._path}'"
    return con.execute(f"SELECT customer_id, as_of, churn_score::FLOAT FROM {relation} ORDER BY ALL").fetchall()


def run(con, sink, as_of=None, stop=None):
    """Score; where `stop` is given, that part is not written any more. Which part was the first."""
    todo = scoring.job(con, "churn", as_of)
    done, add = sink.begin(todo), sink.add

    def stopping(part, select):
        if part == stop:
            raise StoppedError
        add(part, select)

    sink.add = stopping
    scoring.score(con, todo, sink, NOWHERE, done)
    return todo, done


def expected(con, as_of="(SELECT as_of FROM ml.latest)"):
    return con.execute(f"""SELECT customer_id, {as_of} AS as_of, churn_score(customer_id, {as_of})::FLOAT
                           FROM behavior.customers ORDER BY ALL""").fetchall()


def test_parts_together_are_the_scores_of_everyone(con, sink):
    todo, done = run(con, sink())
    assert (todo.parts, done, todo.customers) == (8, 0, 1500)
    assert [row[:2] for row in read(con, sink())] == [row[:2] for row in expected(con)]
    found, wanted = ([row[2] for row in rows if row[2] is not None] for rows in (read(con, sink()), expected(con)))
    assert found == pytest.approx(wanted, abs=1e-5)


def test_a_run_that_was_stopped_goes_on(con, sink, tmp_path):
    run(con, sink())
    before = read(con, sink())
    with pytest.raises(StoppedError):
        run(con, sink(), "2026-01-01", stop=5)
    assert read(con, sink()) == before, "what stood there before is whole until the new is"
    _, done = run(con, sink(), "2026-01-01")
    assert done == 5
    assert [row[:2] for row in read(con, sink())] == [row[:2] for row in expected(con, "TIMESTAMP '2026-01-01'")]
    assert not list(tmp_path.glob("*unfinished*"))
    assert one(con, "SELECT count(*) FROM duckdb_tables() WHERE table_name LIKE '%unfinished%'") == 0


@pytest.mark.parametrize("change", ["moment", "customers", "attributes", "items", "events", "amounts", "version"])
def test_what_is_not_the_same_run_is_begun_anew(con, sink, change, tmp_path):
    with pytest.raises(StoppedError):
        run(con, sink(), "2026-01-01", stop=3)
    moment = "2026-01-02" if change == "moment" else "2026-01-01"
    if change == "customers":
        another = "SELECT * REPLACE (99999 AS customer_id) FROM main.shop_customers LIMIT 1"
        con.execute(f"INSERT INTO main.shop_customers {another}").fetchall()
    if change == "attributes":
        con.execute("UPDATE main.shop_customers SET plan = 'free' WHERE customer_id = 7").fetchall()
    if change == "items":
        con.execute("UPDATE main.shop_items SET category = 'other' WHERE product_id = 7").fetchall()
    if change == "events":
        con.execute(
            "INSERT INTO main.shop_events SELECT * FROM main.shop_events WHERE happened_at < '2025-12-01' LIMIT 1"
        ).fetchall()
    if change == "amounts":
        con.execute("UPDATE main.shop_events SET revenue = revenue + 1 WHERE customer_id = 7").fetchall()
    if change == "version":
        con.execute(
            f"EXPORT MODEL churn TO '{tmp_path}/c.sqlml'; IMPORT OR REPLACE MODEL churn FROM '{tmp_path}/c.sqlml'"
        ).fetchall()
    named = {"moment": "as_of", "amounts": "events"}.get(change, change)
    with pytest.warns(UserWarning, match=f"another one .*{named}.* begun anew"):
        assert run(con, sink(), moment)[1] == 0


def test_tables_and_folders_of_the_user_stay(con, tmp_path):
    con.execute("CREATE TABLE scores_unfinished AS SELECT 1 AS x; CREATE TABLE mine AS SELECT 1 AS x").fetchall()
    con.execute("CREATE VIEW seen AS SELECT 1 AS x").fetchall()
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError, match="is a folder"):
        scoring.File(con, tmp_path / "folder.csv")
    for name in ("scores", "SCORES", "mine", "seen", "ml.scores", "behavior.scores"):
        with pytest.raises(DataError):
            scoring.Table(con, name)
    folder = tmp_path / "s.csv.unfinished"
    folder.mkdir()
    (folder / "thesis.txt").write_text("years of work")
    with pytest.raises(DataError, match="did not make"):
        run(con, scoring.File(con, tmp_path / "s.csv"))
    assert (folder / "thesis.txt").exists()
    with pytest.raises(DataError, match="no folder"):
        scoring.File(con, tmp_path / "nowhere" / "s.csv")


def test_an_ending_that_is_none_is_told(con):
    with pytest.raises(DataError, match=r"no schema scores.*\.parquet, \.csv, \.json"):
        scoring.Table(con, "scores.xlsx")


def test_a_damaged_note_of_a_run_is_no_obstacle(con, tmp_path):
    file = scoring.File(con, tmp_path / "s.csv")
    with pytest.raises(StoppedError):
        run(con, file, stop=3)
    (tmp_path / "s.csv.unfinished" / "job.json").write_text('{"mod')
    assert run(con, scoring.File(con, tmp_path / "s.csv"))[1] == 0


def test_a_part_that_is_gone_is_written_again(con, tmp_path):
    file = scoring.File(con, tmp_path / "s.csv")
    with pytest.raises(StoppedError):
        run(con, file, stop=5)
    (tmp_path / "s.csv.unfinished" / "000002.parquet").unlink()
    assert run(con, scoring.File(con, tmp_path / "s.csv"))[1] == 2
    assert len(read(con, file)) == 1500


@pytest.mark.parametrize("name", ["day=2026-01-01/s.csv", "s[1].parquet", "it's 100%.csv", "ü *.parquet"])
def test_a_path_is_no_pattern_and_no_partition(con, tmp_path, name):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    run(con, scoring.File(con, path))
    moved = path.rename(tmp_path / f"moved{path.suffix}")
    found = con.sql(f"FROM '{moved}'")
    assert (found.columns, len(found.fetchall())) == (["customer_id", "as_of", "churn_score"], 1500)


def test_two_runs_that_disturb_each_other_are_told(con, sink):
    run(con, sink())
    before, disturbed = read(con, sink()), sink()
    finish = disturbed.finish

    def finished():
        if isinstance(disturbed, scoring.Table):
            con.execute("INSERT INTO scores_unfinished FROM scores_unfinished LIMIT 1").fetchall()
        else:
            disturbed._part(0).write_bytes(disturbed._part(1).read_bytes())
        return finish()

    disturbed.finish = finished
    with pytest.raises(DataError, match="another run"):
        run(con, disturbed, "2026-01-01")
    assert read(con, sink()) == before
    assert run(con, sink(), "2026-01-01")[1] == 0


def test_a_model_of_rows_is_no_model_of_customers(con):
    con.execute(
        "CREATE MODEL rows OPTIONS (label = 'y', method = 'logistic', folds = 2) AS SELECT hash(i) % 97 AS x, hash(i) % 97 > 50 AS y FROM range(600) t(i)"
    ).fetchall()
    with pytest.raises(ModelError, match=r"ml\.predict"):
        scoring.job(con, "rows", None)


def test_parts_have_about_as_many_events(con, monkeypatch):
    monkeypatch.setattr(scoring, "PART_CUSTOMERS", 1_000_000)
    monkeypatch.setattr(scoring, "PART_EVENTS", 5_000)
    con.execute(
        "INSERT INTO main.shop_events SELECT * REPLACE (7 AS customer_id) FROM main.shop_events LIMIT 20_000"
    ).fetchall()
    todo = scoring.job(con, "churn", None)
    sizes = con.execute("""SELECT part, count(*) AS n, sum(events) AS events FROM temp.sqlml_customers
                           LEFT JOIN (SELECT customer_id, count(*) AS events FROM behavior.events GROUP BY 1) USING (customer_id)
                           GROUP BY part ORDER BY part""").fetchall()
    assert todo.parts > len(sizes) > 5  # one customer alone is more than a part
    assert all(events < 5_500 for part, _, events in sizes[1:])
    run(con, scoring.Table(con, "scores"))
    assert one(con, "SELECT count(DISTINCT customer_id) FROM scores") == todo.customers


def test_ids_that_parquet_does_not_hold(con, tmp_path):
    con.execute("ALTER TABLE main.shop_events ALTER customer_id TYPE HUGEINT").fetchall()
    with pytest.raises(DataError, match=r"HUGEINT.*name a table"):
        scoring.File(con, tmp_path / "scores.csv")


def test_files_of_the_user_stay(con, tmp_path):
    for name, content in (
        ("mine.csv", "hello"),
        ("events.csv", "customer_id,event_time\n1,2025-01-01\n"),
        ("labels.csv", "customer_id,as_of,label\n1,2025-01-01,true\n"),
        ("empty.parquet", ""),
    ):
        path = tmp_path / name
        path.write_text(content)
        with pytest.raises(DataError, match="holds no scores"):
            run(con, scoring.File(con, path))
        assert path.read_text() == content


@pytest.mark.parametrize("name", ["", ".parquet", "folder/scores", "/dev/full", "a\\b"])
def test_what_is_neither_a_table_nor_a_file(con, name):
    with pytest.raises(DataError, match="a file ends in"):
        scoring.Table(con, name)


def test_a_part_that_was_damaged(con, tmp_path):
    sink = scoring.File(con, tmp_path / "scores.parquet")
    with pytest.raises(StoppedError):
        run(con, sink, stop=5)
    sink._part(2).write_bytes(b"garbage")
    with pytest.raises(DataError, match="remove the folder"):
        run(con, scoring.File(con, tmp_path / "scores.parquet"))


def test_a_checksum_is_of_the_row_whatever_its_columns_are_named(con):
    names = "1 AS e, 1 AS c, 1 AS x"
    con.execute(f"CREATE TABLE seen AS SELECT *, {names} FROM behavior.events").fetchall()
    con.execute("CREATE OR REPLACE VIEW behavior.events AS FROM main.seen").fetchall()
    before = scoring.job(con, "churn", None)
    con.execute("UPDATE main.seen SET amount = amount + 1 WHERE customer_id = 7").fetchall()
    assert scoring.job(con, "churn", None) != before


@pytest.mark.parametrize("task", ["clv", "segment", "recommend"])
def test_scores_of_every_task_are_replaced_by_the_next(con, tmp_path, task):
    horizon = "" if task == "recommend" else ", horizon = INTERVAL 60 DAY, max_cutoffs = 1"
    method = {"clv": "bgnbd", "segment": "rfm", "recommend": "popular"}[task]
    con.execute(f"CREATE MODEL m OPTIONS (task = '{task}', method = '{method}'{horizon})").fetchall()
    for _ in range(2):
        sink = scoring.File(con, tmp_path / "m.parquet")
        todo = scoring.job(con, "m", None)
        scoring.score(con, todo, sink, NOWHERE, sink.begin(todo))
    assert one(con, f"SELECT count(*) FROM '{tmp_path / 'm.parquet'}'") == 1500


def test_without_events_there_is_no_moment(con):
    con.execute("CREATE TABLE seen AS FROM behavior.events WHERE false").fetchall()
    con.execute("CREATE OR REPLACE VIEW behavior.events AS FROM main.seen").fetchall()
    with pytest.raises(DataError, match="nothing to score"):
        scoring.job(con, "churn", None)


def test_a_moment_may_have_an_offset(con):
    assert scoring.job(con, "churn", "2026-01-01T01:30:00+02:00").as_of == "2025-12-31 23:30:00"
    assert scoring.job(con, "churn", "2026-01-01").as_of == "2026-01-01 00:00:00"
