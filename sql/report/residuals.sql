-- sql/report/residuals.sql: how many rows are off by how much, in 30 bins of the middle 99 % of the residuals
WITH off AS (
    SELECT label - score AS residual FROM ml.predictions WHERE version_id = $1
), span AS (
    SELECT quantile_cont(residual, .005) AS first, nullif(quantile_cont(residual, .995) - first, 0) / 30 AS width FROM off
)
SELECT first + width * least(floor((residual - first) / width), 29) AS low, any_value(width) AS width, count(*) AS n
FROM off, span WHERE residual BETWEEN first AND first + 30 * width GROUP BY low ORDER BY low
