-- sql/report/scores.sql: how many rows held out have which probability, in 20 bins; over what 99.5 % have where that is little
WITH span AS (
    SELECT CASE WHEN quantile_cont(score, .995) BETWEEN 1e-9 AND .5 THEN quantile_cont(score, .995) ELSE 1 END / 20 AS width
    FROM ml.predictions WHERE version_id = $1
)
SELECT width * least(floor(score / width), 19) AS low, any_value(width) AS width, count(*) AS n
FROM ml.predictions, span WHERE version_id = $1 AND score <= 20 * width GROUP BY low ORDER BY low
