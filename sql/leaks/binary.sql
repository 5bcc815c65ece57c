-- sql/leaks/binary.sql: how well one column alone tells a label that is true or false: the AUC of the rates of its values, each found on the other half of the rows, and a lower bound (Hanley & McNeil 1982)
WITH {buckets}, predictions AS (
    SELECT 1 AS part, label, weight, coalesce((sum(label::INT) OVER all_of_value - sum(label::INT) OVER own_half)
             / nullif(count(*) OVER all_of_value - count(*) OVER own_half, 0), avg(label::INT) OVER ()) AS score
    FROM (SELECT label::BOOLEAN AS label, bucket, half, 1.0 AS weight FROM bucketed)
    WINDOW all_of_value AS (PARTITION BY bucket), own_half AS (PARTITION BY bucket, half)
), measured AS (
    SELECT auc AS a, base_rate * n_rows AS p, (1 - base_rate) * n_rows AS n FROM ({binary})
)
SELECT 'AUC' AS measure, a AS value, p >= $least AND n >= $least AND
       a - 1.645 * sqrt((a * (1 - a) + (p - 1) * (a / (2 - a) - a * a) + (n - 1) * (2 * a * a / (1 + a) - a * a)) / (p * n)) >= .97 AS is_suspect
FROM measured
