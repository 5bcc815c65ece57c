-- sql/examples/single_column.sql: how well one column alone tells the label: each value (or twentieth, or NULL) scored by its own rate
WITH valued AS (
    SELECT label, {value} AS value, count(*) OVER (PARTITION BY {value}) AS n_same FROM {table}
), bucketed AS (
    SELECT label, CASE WHEN value IS NULL THEN 'NULL' WHEN n_same >= 10 THEN value::VARCHAR
                       WHEN {is_number} THEN 'bucket ' || ntile(20) OVER (PARTITION BY value IS NULL ORDER BY value) ELSE 'other' END AS bucket
    FROM valued
), predictions AS (
    SELECT 1 AS part, label, avg(label::INT) OVER (PARTITION BY bucket) AS score, 1.0 AS weight FROM bucketed
)
SELECT auc FROM ({binary})
