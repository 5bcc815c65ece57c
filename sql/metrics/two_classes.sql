-- sql/metrics/two_classes.sql: quality of `predictions` (part, label, score, weight) of two classes, as scores and as decisions from a threshold on, a row a part
WITH counted AS (
    SELECT part, sum(weight) AS n,
           coalesce(sum(weight) FILTER (label), 0)                          AS positives,
           coalesce(sum(weight) FILTER (score >= {threshold}), 0)           AS taken,
           coalesce(sum(weight) FILTER (label AND score >= {threshold}), 0) AS hits
    FROM predictions GROUP BY part
), decided AS (
    SELECT part,
           (n - positives - taken + 2 * hits) / n        AS accuracy,
           hits / nullif(taken, 0)                       AS precision,      -- NULL where no row reaches the threshold
           hits / nullif(positives, 0)                   AS recall,
           2 * hits / nullif(positives + taken, 0)       AS f1
    FROM counted
)
FROM ({binary}) JOIN decided USING (part)
