-- sql/metrics/compare.sql: metrics of `heldout` (method, customer_id, is_active, label, score) for all and for active customers, with 90 % bootstrap intervals over customers
WITH parts AS (
    SELECT method, 'all' AS population, customer_id, label, score FROM heldout
    UNION ALL
    SELECT method, 'active' AS population, customer_id, label, score FROM heldout WHERE is_active
), draws AS (
    SELECT draw, customer_id, hash(customer_id::VARCHAR, draw, $seed) / 18446744073709551616.0::DOUBLE AS u
    FROM (SELECT DISTINCT customer_id FROM heldout), range(1, $draws + 1) d(draw)
), weighted AS (
    SELECT customer_id, 0 AS draw, 1 AS weight FROM (SELECT DISTINCT customer_id FROM heldout)
    UNION ALL
    -- a Poisson(1) number of copies
    SELECT customer_id, draw,
           len(list_filter([.36787944, .73575888, .91969860, .98101184, .99634015, .99940582], lambda p: u > p)) AS weight FROM draws
), predictions AS (
    SELECT {'method': method, 'population': population, 'draw': draw} AS part, label, score, weight::DOUBLE AS weight
    FROM parts JOIN weighted USING (customer_id) WHERE weight > 0
), tall AS (
    UNPIVOT (SELECT part.method AS method, part.population AS population, part.draw AS draw, COLUMNS(* EXCLUDE (part))::DOUBLE FROM ({metrics}))
    ON COLUMNS(* EXCLUDE (method, population, draw)) INTO NAME metric VALUE value
), summed AS (
    SELECT method, population, metric, any_value(value) FILTER (draw = 0) AS value, quantile_cont(value, [.05, .5, .95]) FILTER (draw > 0) AS q
    FROM tall GROUP BY method, population, metric
)
-- a percentile interval; it may miss its estimate by rounding alone, where all draws are the same
SELECT method, population, metric, value,
       CASE WHEN metric IN ('n_rows', 'n_segments', 'ece', 'decile_mape') THEN NULL              -- counts; means of absolute gaps, to which a draw adds its own
            WHEN metric IN ('eta2_spend', 'eta2_orders') THEN greatest(0, value - (q[2] - q[1])) -- a draw finds more between its segments: its middle is set on the estimate
            ELSE least(value, q[1]) END    AS low,
       CASE WHEN metric IN ('n_rows', 'n_segments', 'ece', 'decile_mape') THEN NULL
            WHEN metric IN ('eta2_spend', 'eta2_orders') THEN least(1, value + (q[3] - q[2]))
            ELSE greatest(value, q[3]) END AS high
FROM summed ORDER BY method, population, metric
