"""The generated shop of `sqlml demo`, the tests and the benchmarks."""

from __future__ import annotations

from datetime import datetime

import duckdb

from sqlml import queries


def write_shop(con: duckdb.DuckDBPyConnection, customers: int = 8_000, days: int = 730, seed: int = 7) -> None:
    """Write tables `shop_*` into schema main and the views of schema `behavior` over them.

    The churn process is known: see `sql/demo/shop.sql`, and `true_probability` for its answer.
    """
    values = {"$customers": str(int(customers)), "$days": str(int(days)), "$seed": str(int(seed))}
    script = queries.text("demo/shop")
    for name, value in values.items():
        script = script.replace(name, value)
    con.execute(script).fetchall()
    con.execute(queries.text("demo/behavior")).fetchall()


def true_probability(con: duckdb.DuckDBPyConnection, as_of: datetime, horizon_days: int) -> duckdb.DuckDBPyRelation:
    """(customer_id, probability) of no event in the horizon, from what the generator knows and the shop does not."""
    return con.sql(queries.text("demo/truth"), params={"as_of": as_of, "horizon_days": horizon_days})
