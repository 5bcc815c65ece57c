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
