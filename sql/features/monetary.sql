-- sql/features/monetary.sql: monetary value, the M of RFM: level, spread and refunds          needs: amount
SELECT customer_id, as_of,
       sum(amount)::FLOAT                                       AS amount_total,
       avg(amount)::FLOAT                                       AS amount_mean,
       max(amount)::FLOAT                                       AS amount_max,
       -- of exact sums, which no order of rows changes, less what rounding may add to equal amounts; amounts up to 1e10
       sqrt(greatest(0, sum((least(abs(amount), 1e10)::DOUBLE ^ 2)::DECIMAL(38, 12))::DOUBLE * (1 - 1e-14) - sum(amount)::DOUBLE ^ 2 / count(amount))
            / nullif(count(amount) - 1, 0))::FLOAT              AS amount_stddev,
       arg_max(amount, (event_time, amount))::FLOAT             AS amount_last,
       count(*) FILTER (amount < 0)::FLOAT                      AS n_refunds,
       (count(*) FILTER (amount < 0) / count(*))::FLOAT         AS refund_share
FROM history
GROUP BY customer_id, as_of
