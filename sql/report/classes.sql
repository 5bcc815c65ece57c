-- sql/report/classes.sql: rows held out by their class, and how sure the model was of its guess
SELECT label::INT AS code, count(*) AS n, count(*) / sum(count(*)) OVER () AS share, avg(score) AS mean_score
FROM ml.predictions WHERE version_id = $1 GROUP BY code ORDER BY n DESC, code
