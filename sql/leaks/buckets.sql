-- sql/leaks/buckets.sql: each row of {table} with its label, the half of the rows it is in, and a bucket of the column: a frequent value, a twentieth, NULL, or all the rest
valued AS (
    SELECT label, half, {value} AS value FROM {table}
), counted AS (
    SELECT *, count(*) OVER (PARTITION BY value) AS n_same, count(*) OVER () AS n_rows FROM valued
), bucketed AS (
    SELECT label, half, value, CASE WHEN value IS NULL THEN 'NULL' WHEN n_same >= 20 THEN 'value ' || value::VARCHAR
                       WHEN {is_number} THEN 'bucket ' || (row_number() OVER (PARTITION BY value IS NULL ORDER BY value) - 1) * least(20, n_rows // 20) // n_rows
                       ELSE 'other' END AS bucket
    FROM counted
)
