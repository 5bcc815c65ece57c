-- sql/report/curves.sql: ml.roc_curve and ml.pr_curve of one version, a point in each cell of 200 by 200 that a figure can tell apart
WITH by_score AS (
    SELECT score, count(*) AS n, sum(label) AS hits FROM ml.predictions WHERE version_id = $1 GROUP BY score
), running AS (
    SELECT score, sum(n) OVER down AS taken, sum(hits) OVER down AS true_positives, sum(n) OVER () AS total, sum(hits) OVER () AS positives
    FROM by_score WINDOW down AS (ORDER BY score DESC)
), curve AS (
    SELECT score AS threshold, true_positives / positives AS recall, (taken - true_positives) / (total - positives) AS false_positive_rate,
           true_positives / taken AS precision, {'y': floor(200 * recall), 'x': floor(200 * false_positive_rate)} AS cell
    FROM running
)
SELECT threshold, recall, false_positive_rate, precision FROM curve
QUALIFY cell IS DISTINCT FROM lag(cell) OVER (ORDER BY threshold DESC)
ORDER BY threshold DESC
