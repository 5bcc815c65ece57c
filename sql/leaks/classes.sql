-- sql/leaks/classes.sql: how well one column alone tells one of several classes: the share of rows whose class is the most frequent of their value, found on the other half of the rows
WITH {buckets}, by_class AS (
    SELECT bucket, half, label, count(*) AS n FROM bucketed GROUP BY ALL
), guesses AS (
    SELECT bucket, half, arg_max(label, n) AS guess FROM by_class GROUP BY ALL
), measured AS (
    SELECT avg((b.label IS NOT DISTINCT FROM g.guess)::INT) AS accuracy, count(*) AS n,
           (SELECT max(n) / sum(n) FROM (SELECT sum(n) AS n FROM by_class GROUP BY label)) AS usual
    FROM bucketed b LEFT JOIN guesses g ON b.bucket = g.bucket AND b.half <> g.half
)
SELECT 'accuracy' AS measure, accuracy AS value, n >= 2 * $least AND accuracy - usual >= .97 * (1 - usual) AS is_suspect FROM measured
