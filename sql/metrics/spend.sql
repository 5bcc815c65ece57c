-- sql/metrics/spend.sql: quality of `predictions` (part, label, score, weight) of what customers will spend, a row a part
WITH placed AS (
    SELECT *,
           sum(weight) OVER (PARTITION BY part ORDER BY score)  - sum(weight) OVER (PARTITION BY part, score) / 2 AS score_rank,
           sum(weight) OVER (PARTITION BY part ORDER BY label)  - sum(weight) OVER (PARTITION BY part, label) / 2 AS label_rank,
           sum(weight) OVER (PARTITION BY part ORDER BY score DESC ROWS UNBOUNDED PRECEDING)                 AS ranked,
           sum(weight * label) OVER ties / sum(weight) OVER ties                                             AS expected,   -- of equal scores any may come first
           sum(weight) OVER (PARTITION BY part ORDER BY label DESC ROWS UNBOUNDED PRECEDING)                 AS best,
           sum(weight) OVER (PARTITION BY part)                                                              AS customers
    FROM predictions WINDOW ties AS (PARTITION BY part, score)
), deciles AS (
    SELECT part, least(9, floor(10 * (ranked - weight) / customers)) AS decile,
           abs(sum(weight * score) - sum(weight * expected)) / nullif(abs(sum(weight * expected)), 0) AS missed
    FROM placed GROUP BY ALL
), ranked AS (
    SELECT part, sum(weight)                                                                     AS n_rows,
           sum(weight * label) / sum(weight)                                                     AS mean_label,
           sum(weight * score) / sum(weight)                                                     AS mean_score,
           mean_score / nullif(mean_label, 0) - 1                                                AS bias,
           sqrt(sum(weight * (label - score) ^ 2) / sum(weight))                                 AS rmse,
           sum(weight * abs(label - score)) / sum(weight)                                        AS mae,
           -- money captured by customers ranked by score, against the order that knows the future
           sum(weight * expected * (0.5 - (ranked - weight / 2) / customers))
             / nullif(sum(weight * label * (0.5 - (best - weight / 2) / customers)), 0)          AS normalized_gini,
           (sum(weight * score_rank * label_rank) / sum(weight) - sum(weight * score_rank) * sum(weight * label_rank) / sum(weight) ^ 2)
             / nullif(sqrt(sum(weight * score_rank ^ 2) / sum(weight) - (sum(weight * score_rank) / sum(weight)) ^ 2)
                    * sqrt(sum(weight * label_rank ^ 2) / sum(weight) - (sum(weight * label_rank) / sum(weight)) ^ 2), 0) AS spearman
    FROM placed GROUP BY part
)
SELECT ranked.*, decile_mape
FROM ranked JOIN (SELECT part, avg(missed) AS decile_mape FROM deciles GROUP BY part) USING (part)
