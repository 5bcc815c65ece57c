-- sql/report/later.sql: what customers of each segment went on to spend, on average
SELECT score::INT AS segment, avg(label) AS mean_label, count(*) AS n FROM ml.predictions WHERE version_id = $1 GROUP BY segment ORDER BY segment
