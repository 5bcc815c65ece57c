-- sql/metrics/classes.sql: quality of `predictions` (part, label: a code from 0, score: a probability a class, weight), a row a part
WITH rated AS (
    SELECT part, weight, label::INT AS label, score, list_position(score, list_max(score)) - 1 AS guess,
           greatest(score[label::INT + 1]::DOUBLE, 1e-7) AS p
    FROM predictions
), one_against_rest AS (
    SELECT {'part': part, 'class': class} AS part, weight, label = class AS label, score[class + 1] AS score
    FROM rated, (SELECT unnest(range(len(score))) AS class FROM (SELECT any_value(score) AS score FROM rated))
), by_class AS (
    WITH predictions AS (FROM one_against_rest)
    SELECT part.part AS part, avg(auc) AS auc FROM ({binary}) GROUP BY ALL
), of_all AS (
    SELECT part, sum(weight) AS n_rows, sum(weight * (guess = label)::INT) / sum(weight) AS accuracy,
           -sum(weight * ln(p)) / sum(weight) AS log_loss,
           sum(weight * (list_sum(list_transform(score, lambda x: x::DOUBLE ^ 2)) - 2 * p + 1)) / sum(weight) AS brier
    FROM rated GROUP BY part
)
SELECT part, n_rows, accuracy, auc, log_loss, brier FROM of_all JOIN by_class USING (part)
