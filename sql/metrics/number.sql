-- sql/metrics/number.sql: quality of `predictions` (part, label, score, weight) of a number, a row a part
SELECT part,
       sum(weight)                                                                  AS n_rows,
       sum(weight * label) / sum(weight)                                            AS mean_label,
       sum(weight * score) / sum(weight)                                            AS mean_score,
       sqrt(sum(weight * (label - score) ^ 2) / sum(weight))                        AS rmse,
       sum(weight * abs(label - score)) / sum(weight)                               AS mae,
       1 - sum(weight * (label - score) ^ 2)
         / nullif(sum(weight * label ^ 2) - sum(weight * label) ^ 2 / sum(weight), 0) AS r2
FROM predictions GROUP BY part
