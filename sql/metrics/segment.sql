-- sql/metrics/segment.sql: how far segments tell `predictions` (part, label {spend, orders}, score, weight) apart, a row a part
WITH segments AS (
    SELECT part, score, sum(weight) AS n, sum(weight * label.spend) / n AS spend, sum(weight * label.orders) / n AS orders
    FROM predictions GROUP BY part, score
), between_segments AS (
    SELECT part, count(*) AS n_segments, sum(n * spend ^ 2) - sum(n * spend) ^ 2 / sum(n) AS spend,
           sum(n * orders ^ 2) - sum(n * orders) ^ 2 / sum(n) AS orders
    FROM segments GROUP BY part
), total AS (
    SELECT part, sum(weight) AS n, sum(weight * label.spend) / n AS mean_label,
           sum(weight * label.spend ^ 2) - sum(weight * label.spend) ^ 2 / n AS spend,
           sum(weight * label.orders ^ 2) - sum(weight * label.orders) ^ 2 / n AS orders
    FROM predictions GROUP BY part
)
SELECT part, t.n AS n_rows, mean_label, n_segments,
       b.spend / nullif(t.spend, 0)   AS eta2_spend,      -- the share of the variance that lies between segments
       b.orders / nullif(t.orders, 0) AS eta2_orders
FROM total t JOIN between_segments b USING (part)
