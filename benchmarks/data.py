"""Puts a data set into a DuckDB connection as behaviour tables."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb

from sqlml.demo import write_shop
from sqlml.queries import literal

FOLDER = "SQLML_DATA"
SHOP = "shop"
FILES = {"cdnow": "cdnow/transactions.parquet", "online_retail": "online_retail/lines_2009_2010.parquet"}
EVENTS = {
    "cdnow": """
        SELECT customer_id, date::TIMESTAMP AS event_time, amount, n_cds AS quantity
        FROM read_parquet({file}) ORDER BY customer_id, event_time""",
    # cancellations stay in as events of their own: to drop what they cancel would tell the past about the future
    "online_retail": """
        SELECT customer_id, invoice_date AS event_time, quantity * unit_price AS amount, quantity,
               stock_code AS item_id, CASE WHEN is_cancellation THEN 'cancellation' ELSE 'purchase' END AS event_type
        FROM read_parquet({file}) WHERE customer_id IS NOT NULL ORDER BY customer_id, event_time""",
}
GENERATED = """
    CREATE SCHEMA behavior;
    CREATE TABLE behavior.events AS
    SELECT customer_id, TIMESTAMP '2024-01-01' + to_seconds((86400 * (born + life * (hash(i) % 1000000) / 1e6))::BIGINT)
               AS event_time,
           ['view', 'view', 'view', 'cart', 'purchase'][1 + (hash(i, 'type') % 5)::INT] AS event_type,
           (hash(i, 'item') % 20000)::INT AS item_id,
           CASE WHEN hash(i, 'type') % 5 = 4 THEN 5 + (hash(i, 'amount') % 10000)::INT / 100 END AS amount
    FROM (SELECT i, i // {each} AS customer_id, (hash(customer_id, 'born') % 600)::INT AS born,
                 least(1 - ln((1 + hash(customer_id, 'life') % 100000) / 100001) * 150, 730 - born) AS life
          FROM range({n}) t(i))"""
EVENTS_EACH = 50


def write_events(con: duckdb.DuckDBPyConnection, n: int) -> None:
    """So many generated events, EVENTS_EACH a customer, ordered by customer; customers leave in the course of time."""
    con.execute(GENERATED.format(n=int(n), each=EVENTS_EACH)).fetchall()


def is_here(name: str) -> bool:
    """Whether the data set can be loaded: the shop always, real data where SQLML_DATA names their folder."""
    return name == SHOP or (FOLDER in os.environ and _file(name).exists())


def load(con: duckdb.DuckDBPyConnection, name: str, customers: int = 12_000) -> None:
    """Write the tables of schema `behavior`; `customers` is the size of the generated shop."""
    if name == SHOP:
        write_shop(con, customers)
        return
    con.execute("CREATE SCHEMA behavior").fetchall()
    select = EVENTS[name].replace("{file}", literal(str(_file(name))))
    con.execute(f"CREATE TABLE behavior.events AS {select}").fetchall()


def _file(name: str) -> Path:
    return Path(os.environ[FOLDER]) / FILES[name]
