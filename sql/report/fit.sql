-- sql/report/fit.sql: actual against predicted numbers, in 20 bins of equally many rows by prediction
WITH binned AS (
    SELECT label, score, ntile(20) OVER (ORDER BY score, key) AS bin FROM ml.predictions WHERE version_id = $1
)
SELECT bin, avg(score) AS mean_score, avg(label) AS mean_label, quantile_cont(label, .05) AS low, quantile_cont(label, .95) AS high
FROM binned GROUP BY bin ORDER BY bin
