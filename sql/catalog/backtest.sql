-- sql/catalog/backtest.sql: BACKTEST MODEL: each cut-off, then over all of them (as_of NULL) the mean, and as low and high the least and the most
WITH found AS (
    FROM ml.backtests WHERE version_id = $1 AND run_at = (SELECT max(run_at) FROM ml.backtests WHERE version_id = $1)
), rows AS (
    SELECT as_of, method, population, metric, value, low, high FROM found
    UNION ALL
    SELECT NULL, method, population, metric, avg(value), min(value), max(value) FROM found GROUP BY ALL
)
FROM rows ORDER BY starts_with(population, 'decile'), population DESC, metric, method, as_of NULLS LAST
