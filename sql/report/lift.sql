-- sql/report/lift.sql: ml.lift of one version
WITH ranked AS (
    SELECT label, avg(label) OVER () AS base_rate, ntile(10) OVER (ORDER BY score DESC, key) AS decile
    FROM ml.predictions WHERE version_id = $1
)
SELECT decile, count(*) AS n, avg(label) / any_value(base_rate) AS lift, sum(sum(label)) OVER (ORDER BY decile) / sum(sum(label)) OVER () AS gain
FROM ranked GROUP BY decile ORDER BY decile
