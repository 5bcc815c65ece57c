"""Recommendations: sqlml against implicit, EASE, V-SKNN, SASRec and popularity, the next item among all items.

Of every customer the last step is withheld. All items are ranked, each method ordering equal scores as it does; HR,
NDCG and MRR are of the first ten places, of sessions Recall and MRR of the first twenty. `sqlml` is `method = 'auto'`,
called as `FROM recommend_at(...)`; `not refitted` was trained without the last two steps, and sees the last but one as
an event that arrives after the training. Of sessions every prefix of a later session is a customer that no method has
seen.
Peers get the same histories; of each the recipe is taken that does best on the last step of the training histories,
and whether what was had comes again. SASRec is RecTools's, trained for so many seconds of all cores at most, with the
last step of a thousand customers held out to stop it; it runs where there are no baskets and no sessions. `note` says
how long it was trained. Rows of figures that others published have (published) in their name; they compare with
`not refitted`.
`seconds_fit` of sqlml are those of CREATE MODEL with its choice and test, of a peer those of the recipe taken;
`seconds_all` is recommending to all and writing the lists to a table. `interval` is that of sqlml less the other in
NDCG@10 (of sessions MRR@20), by a bootstrap over customers (of sessions: over sessions, all prefixes of one together).
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

import sqlml
from benchmarks import bootstrap, report
from benchmarks.data import FOLDER
from benchmarks.peers.environment import RECTOOLS, PeerError
from benchmarks.peers.recommenders import (
    POPULAR,
    Histories,
    Lists,
    Model,
    Peer,
    ease,
    libraries,
    popular,
    published,
    sasrec,
    session_neighbours,
)
from benchmarks.report import Row
from sqlml.queries import literal

PEERS = {**libraries.PEERS, "EASE": ease.PEER, "V-SKNN": session_neighbours.PEER}
MOST = 20
TUNED_ON = 3_000
OURS = "sqlml"
AS_EVENTS = "customer_id, TIMESTAMP '2020-01-01' + to_minutes(pos::BIGINT) AS event_time, item_id"


@dataclass(frozen=True)
class Case:
    """A data set.

    `lines` gives (customer_id, pos, item_id, is_test), of sessions with `is_test` for those that are asked about prefix
    by prefix. `is_twice` adds the run that is not refitted; `methods` are further ones of sqlml; `budget` are the
    seconds of SASRec.
    """

    name: str
    file: str
    lines: str
    is_sessions: bool = False
    is_twice: bool = False
    methods: tuple[str, ...] = ("rules", "directed")
    budget: float | None = None


LAST = "pos = max(pos) OVER (PARTITION BY user_id)"
CASES = (
    Case("amazon beauty", "amazon_5core/beauty.parquet",
         f"SELECT user_id AS customer_id, pos, item_id, {LAST} AS is_test FROM {{file}}", is_twice=True,
         methods=("rules", "directed", "gru4rec"), budget=180),
    Case("movielens 100k", "movielens_100k/ratings.parquet",
         "SELECT *, pos = max(pos) OVER (PARTITION BY customer_id) AS is_test FROM (SELECT user_id AS customer_id, "
         "row_number() OVER (PARTITION BY user_id ORDER BY ts, item_id) AS pos, item_id FROM {file})", budget=40),
    Case("movielens 1m", "movielens_1m/interactions.parquet",
         f"SELECT user_id AS customer_id, pos, item_id, {LAST} AS is_test FROM {{file}} "
         "WHERE item_id IN (SELECT item_id FROM {file} GROUP BY item_id HAVING count(*) >= 5)",
         methods=("rules", "directed", "gru4rec"), budget=180),
    Case("ta feng, next basket", "tafeng_baskets.parquet",
         "SELECT user_id AS customer_id, basket_no AS pos, item_id, is_last_basket AS is_test FROM {file}",
         methods=("rules", "own")),
    Case("yoochoose 1/64, sessions", "sessions_yoochoose1_64.parquet",
         "SELECT session_id AS customer_id, pos, item_id, split = 'test' AS is_test FROM {file}",
         is_sessions=True, methods=("rules", "sessions")),
)  # fmt: skip
GENERATED = """SELECT i % 300 AS customer_id, i // 300 AS pos, (i % 300 * 7 + i // 300 * 3) % 40 AS item_id,
               {is_test} AS is_test FROM range(2400) t(i)"""
QUICK_CASES = (
    Case("generated", "", GENERATED.format(is_test="pos = 7"), methods=("rules",)),
    Case("generated sessions", "", GENERATED.format(is_test="customer_id % 5 = 0"), is_sessions=True, methods=()),
)
PREFIXES = """
    CREATE TABLE prefixes AS
    SELECT 1000000000 + row_number() OVER (ORDER BY t.customer_id, t.pos) AS customer_id, t.customer_id AS session,
           t.pos, t.item_id
    FROM lines t WHERE is_test AND pos > (SELECT min(pos) FROM lines s WHERE s.customer_id = t.customer_id AND is_test)
    AND item_id IN (SELECT item_id FROM lines WHERE NOT is_test)"""
QUALITY = """
    WITH ranked AS (
        SELECT t.customer_id, list_position(a.items, t.item_id) AS place
        FROM truth t LEFT JOIN answers a USING (customer_id)
    ), each AS (
        SELECT customer_id, count(*) AS n, min(place) AS first,
               coalesce(sum(1 / log2(place + 1)) FILTER (place <= 10), 0) AS gain,
               count_if(place <= 20) AS found FROM ranked GROUP BY customer_id
    )
    SELECT customer_id, coalesce((first <= 10)::INT, 0) AS hr,
           gain / list_sum([1 / log2(i + 1) for i in range(1, least(n, 10) + 1)]) AS ndcg,
           CASE WHEN first <= 10 THEN 1 / first ELSE 0 END AS mrr,
           found / least(n, 20) AS recall_20, CASE WHEN first <= 20 THEN 1 / first ELSE 0 END AS mrr_20
    FROM each ORDER BY customer_id"""
LAST_OF_PAST = "FROM past QUALIFY pos = max(pos) OVER (PARTITION BY customer_id)"
BEFORE_LAST = "FROM past QUALIFY pos < max(pos) OVER (PARTITION BY customer_id)"
Quality = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Found:
    """What a method found: metrics of each list, whose it is, the share of items it shows, its seconds, a remark."""

    quality: Quality
    groups: NDArray[np.int64]
    coverage: float
    fit: float | None
    score: float | None
    note: str | None = None


def run(*, is_quick: bool, only: str = "") -> list[Row]:
    """The cases whose data are there and that have `only` in their name."""
    rows: list[Row] = []
    folder = Path(os.environ.get(FOLDER, ""))
    for case in QUICK_CASES if is_quick else CASES:
        path = folder / case.file
        if only in case.name and (is_quick or (FOLDER in os.environ and path.exists())):
            rows += (new := list(_case(case, case.lines.format(file=f"read_parquet({literal(str(path))})"))))
            print(report.text(new), file=sys.stderr)
    return rows


def _case(case: Case, lines: str) -> Iterator[Row]:
    found: dict[str, Found] = {}
    for name, method, is_refitted in _ours(case):
        with sqlml.connect() as con:
            load(con.native, case, lines)
            found[name] = _sqlml(con, case, method, is_refitted=is_refitted)
            print(f"{case.name}: {name}, {found[name].fit:.0f} s, {found[name].score:.1f} s", file=sys.stderr)
    failure = None
    with duckdb.connect() as con:
        load(con, case, lines)
        found |= _peers(con, case)
        if case.budget:
            try:
                found[sasrec.NAME] = _sasrec(con, case, case.budget)
            except PeerError as error:
                failure = str(error)
    yield from _rows(case, found)
    if failure:
        yield {"case": case.name, "method": sasrec.NAME, "note": failure}
    yield from published.rows(case.name)


def _rows(case: Case, found: Mapping[str, Found]) -> Iterator[Row]:
    main = "mrr_20" if case.is_sessions else "ndcg"
    for name, one in found.items():
        means = {metric: float(values.mean()) for metric, values in one.quality.items()}
        row: dict[str, object] = {"case": case.name, "method": name, "n": len(one.quality["hr"])}
        row |= {f"{metric}@10": means[metric] for metric in ("hr", "ndcg", "mrr")}
        row |= {"recall@20": means["recall_20"], "mrr@20": means["mrr_20"], "coverage@10": one.coverage}
        row |= {"seconds_fit": one.fit, "seconds_all": one.score}
        if name != OURS:
            gain = found[OURS].quality[main] - one.quality[main]
            low, high = bootstrap.mean_interval(gain, 2_000, found[OURS].groups)
            level = bootstrap.LEVEL_SHARE * float(one.quality[main].mean())
            row |= {"interval": [low, high], "verdict": bootstrap.verdict(float(gain.mean()), low, high, level)}
        yield {**row, "note": one.note}


def _ours(case: Case) -> Iterator[tuple[str, str, bool]]:
    yield OURS, "auto", True
    if case.is_twice:
        yield f"{OURS}, not refitted", "auto", False
    for method in case.methods:
        yield f"{OURS}, method {method}", method, True


def load(con: duckdb.DuckDBPyConnection, case: Case, lines: str) -> None:
    """The tables `past` (what may be known), `truth`, `asked`, and of sessions `later`: the prefixes as events."""
    con.execute(f"CREATE TABLE lines AS {lines}").fetchall()
    con.execute("CREATE TABLE past AS SELECT customer_id, pos, item_id FROM lines WHERE NOT is_test").fetchall()
    if case.is_sessions:
        con.execute(PREFIXES).fetchall()
        con.execute('CREATE TABLE truth AS SELECT customer_id, session AS "group", item_id FROM prefixes').fetchall()
        con.execute("""CREATE TABLE later AS SELECT p.customer_id, l.pos, l.item_id FROM prefixes p
                       JOIN lines l ON l.customer_id = p.session AND l.is_test AND l.pos < p.pos""").fetchall()
    else:
        con.execute("""CREATE TABLE truth AS SELECT DISTINCT customer_id, customer_id AS "group", item_id FROM lines
                       WHERE is_test AND customer_id IN (SELECT customer_id FROM past)""").fetchall()
    con.execute("CREATE TABLE asked AS SELECT DISTINCT customer_id FROM truth").fetchall()


def _sqlml(con: sqlml.Connection, case: Case, method: str, *, is_refitted: bool) -> Found:
    known = "past" if is_refitted else f"({BEFORE_LAST})"
    write_events(con, known)
    started = time.monotonic()
    con.execute(f"CREATE MODEL recommend OPTIONS (task = 'recommend', method = '{method}')").fetchall()
    fitted = time.monotonic()
    if case.is_sessions:
        con.execute(f"INSERT INTO behavior.events SELECT {AS_EVENTS} FROM later").fetchall()
    if not is_refitted:
        con.execute(f"INSERT INTO behavior.events SELECT {AS_EVENTS} FROM ({LAST_OF_PAST})").fetchall()
    asked = time.monotonic()
    con.execute(
        f"""CREATE TABLE lists AS SELECT customer_id, recommend FROM recommend_at('asked', {MOST})"""
    ).fetchall()
    done = time.monotonic()
    con.execute(
        "CREATE TABLE answers AS SELECT customer_id, [r.item_id for r in recommend] AS items FROM lists"
    ).fetchall()
    con.fetchall()
    return Found(*_quality(con.native), fitted - started, done - asked)


def write_events(con: sqlml.Connection, known: str) -> None:
    """The lines of a relation as the events of behaviour."""
    con.execute("CREATE SCHEMA behavior").fetchall()
    con.execute(f"CREATE TABLE behavior.events AS SELECT {AS_EVENTS} FROM {known} ORDER BY 1, 2").fetchall()


def _quality(con: duckdb.DuckDBPyConnection) -> tuple[Quality, NDArray[np.int64], float]:
    found = con.execute(QUALITY).fetchnumpy()
    groups = con.execute('SELECT DISTINCT customer_id, "group" FROM truth ORDER BY customer_id').fetchnumpy()["group"]
    shown = con.execute("""SELECT count(DISTINCT i) / (SELECT count(DISTINCT item_id) FROM past)
                           FROM (SELECT unnest(items[:10]) AS i FROM answers)""").fetchall()[0][0]
    metrics = ("hr", "ndcg", "mrr", "recall_20", "mrr_20")
    return {metric: np.asarray(found[metric], np.float64) for metric in metrics}, groups, float(shown)


def _peers(con: duckdb.DuckDBPyConnection, case: Case) -> dict[str, Found]:
    asked = _asked(con, case)
    found = {}
    with threadpool_limits(1, user_api="blas"):  # as implicit asks for
        for name, peer in PEERS.items():
            if peer.is_of_known and case.is_sessions:
                continue
            model, is_repeat = tuned(con, peer, asked.items)
            started = time.monotonic()
            model.fit(asked.known)
            fitted = time.monotonic()
            lists = model.best(asked.histories, MOST, rows=asked.rows, is_repeat=is_repeat)
            asked.write(con, lists)
            found[name] = Found(*_quality(con), fitted - started, time.monotonic() - fitted)
            print(f"{case.name}: {name}, {found[name].fit:.0f} s, {found[name].score:.1f} s", file=sys.stderr)
    started = time.monotonic()
    asked.write(con, popular(asked.known, asked.histories, MOST))
    return {**found, POPULAR: Found(*_quality(con), None, time.monotonic() - started)}


def _sasrec(con: duckdb.DuckDBPyConnection, case: Case, budget: float) -> Found:
    if not RECTOOLS.is_here:
        raise PeerError(sasrec.ABSENT)
    asked = _asked(con, case)
    if asked.rows is None:
        raise AssertionError("SASRec is asked about sessions.")
    answer = sasrec.recommend(asked.known, asked.rows, MOST, budget)
    asked.write(con, answer.lists)
    print(f"{case.name}: {sasrec.NAME}, {answer.fit:.0f} s, {answer.score:.1f} s, {answer.note}", file=sys.stderr)
    return Found(*_quality(con), answer.fit, answer.score, answer.note)


@dataclass(frozen=True)
class Asked:
    """What peers learn from, and whom they are asked about.

    `rows` says which of the known customers these are, None: of sessions, none. `items` and `ids` have the ids of the
    numbers in the histories.
    """

    known: Histories
    histories: Histories
    rows: NDArray[np.int64] | None
    items: NDArray[np.generic]
    ids: NDArray[np.generic]

    def write(self, con: duckdb.DuckDBPyConnection, lists: Lists) -> None:
        """Make the table `answers`, of the customers asked about."""
        listed = pa.ListArray.from_arrays(
            np.arange(len(lists) + 1, dtype=np.int32) * lists.shape[1],
            pa.array(np.where(lists >= 0, self.items[lists], -1).ravel()),
        )
        con.register("found", pa.table({"customer_id": self.ids, "items": listed}))
        con.execute("CREATE OR REPLACE TABLE answers AS FROM found").fetchall()


def _asked(con: duckdb.DuckDBPyConnection, case: Case) -> Asked:
    items = con.execute("SELECT DISTINCT item_id FROM past ORDER BY item_id").fetchnumpy()["item_id"]
    known, customers = histories(con, "past", items)
    if case.is_sessions:
        later, ids = histories(con, "later", items)
        return Asked(known, later, None, items, ids)
    ids = con.execute("SELECT customer_id FROM asked ORDER BY customer_id").fetchnumpy()["customer_id"]
    rows = np.searchsorted(customers, ids)
    return Asked(known, known.of(rows), rows, items, ids)


def histories(
    con: duckdb.DuckDBPyConnection, table: str, items: NDArray[np.generic]
) -> tuple[Histories, NDArray[np.generic]]:
    """The steps of each customer at these items, and the customers in order."""
    query = f"SELECT customer_id, item_id FROM {table} ORDER BY customer_id, pos, item_id"
    found = con.execute(query).fetchnumpy()
    customers, rows = np.unique(found["customer_id"], return_inverse=True)
    is_known = np.isin(found["item_id"], items)
    columns = np.searchsorted(items, found["item_id"][is_known])
    return Histories(rows[is_known], columns, (len(customers), len(items))), customers


def tuned(con: duckdb.DuckDBPyConnection, peer: Peer, items: NDArray[np.generic]) -> tuple[Model, bool]:
    """The recipe that does best on the last step of the training histories, not fitted yet, and with repeats or not."""
    con.execute(f"CREATE OR REPLACE TABLE earlier AS {BEFORE_LAST}").fetchall()
    known, customers = histories(con, "earlier", items)
    query = (
        f"SELECT DISTINCT customer_id, item_id, 0 AS pos FROM ({LAST_OF_PAST}) SEMI JOIN earlier USING (customer_id)"
    )
    con.execute(f"CREATE OR REPLACE TABLE next AS {query}").fetchall()
    truth, _ = histories(con, "next", items)
    if peer.tuned_items:
        known = known.popular(peer.tuned_items)
    rows = np.random.default_rng(0).permutation(len(customers))[:TUNED_ON]
    asked, wanted = known.of(rows), truth.of(rows).counts
    scores = {}
    for recipe in peer.recipes:
        model = recipe()
        model.fit(known)
        for is_repeat in (False, True):
            lists = model.best(asked, 10, rows=rows, is_repeat=is_repeat)
            places = np.repeat(np.arange(len(rows)), lists.shape[1])
            is_true = np.asarray(wanted[places, np.maximum(lists, 0).ravel()]).reshape(lists.shape) > 0
            gains = (is_true & (lists >= 0)) / np.log2(np.arange(lists.shape[1]) + 2)
            scores[recipe, is_repeat] = float(gains.sum(1).mean())
    recipe, is_repeat = max(scores, key=lambda tried: scores[tried])
    return recipe(), is_repeat
