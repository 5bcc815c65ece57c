-- sql/leaks/number.sql: how well one column alone tells a label that is a number: R² of a line through the rows where it is known, or of the means of its values, each found on the other half of the rows
WITH {buckets}, means AS (
    SELECT label, {number} AS number,
           coalesce((sum(label) OVER all_of_value - sum(label) OVER own_half)
             / nullif(count(*) OVER all_of_value - count(*) OVER own_half, 0), avg(label) OVER ()) AS mean
    FROM (SELECT label::DOUBLE AS label, value, bucket, half FROM bucketed)
    WINDOW all_of_value AS (PARTITION BY bucket), own_half AS (PARTITION BY bucket, half)
), measured AS (
    SELECT greatest(0, coalesce(corr(label, number) ^ 2 * count(number) / count(*), 0), 1 - avg((label - mean) ^ 2) / nullif(var_pop(label), 0)) AS r2, count(*) AS n FROM means
)
SELECT 'R²' AS measure, r2 AS value, n >= 2 * $least AND r2 >= .99 AS is_suspect FROM measured
