-- sql/metrics/binary.sql: quality of `predictions` (part, label, score, weight), a row a part; ECE in 15 bins of equal mass, ties count half
WITH by_score AS (
    SELECT part, score, sum(weight) AS n, sum(weight) FILTER (label) AS positives_or_null, coalesce(positives_or_null, 0) AS positives
    FROM predictions GROUP BY part, score
), ranked AS (
    SELECT *, n - positives AS negatives,
           sum(n) OVER (PARTITION BY part) AS total,
           sum(n) OVER upto AS n_upto,
           sum(n - positives) OVER upto AS negatives_upto
    FROM by_score WINDOW upto AS (PARTITION BY part ORDER BY score)
), bins AS (
    SELECT part, least(14, floor(15 * (n_upto - n / 2) / total)) AS bin, abs(sum(positives) - sum(n * score::DOUBLE)) AS gap
    FROM ranked GROUP BY part, bin
), calibration AS (
    SELECT part, sum(gap) AS gap FROM bins GROUP BY part
), clipped AS (
    SELECT *, greatest(least(score::DOUBLE, 1 - 1e-7), 1e-7) AS p, greatest(0, least(n, total / 10 - (total - n_upto))) AS in_top
    FROM ranked
)
SELECT part,
       sum(n)                                                                               AS n_rows,
       sum(positives) / sum(n)                                                              AS base_rate,
       sum(n * score::DOUBLE) / sum(n)                                                      AS mean_score,
       sum(positives * (negatives_upto - negatives / 2)) / nullif(sum(positives) * sum(negatives), 0) AS auc,
       -sum(positives * ln(p) + negatives * ln(1 - p)) / sum(n)                             AS log_loss,
       sum(positives * (1 - score::DOUBLE) ^ 2 + negatives * score::DOUBLE ^ 2) / sum(n)    AS brier,
       any_value(gap) / sum(n)                                                              AS ece,
       sum(positives * in_top / n) / sum(in_top) / nullif(sum(positives) / sum(n), 0)       AS top_decile_lift
FROM clipped JOIN calibration USING (part)
GROUP BY part
