-- sql/features/monetary.sql: monetary value, the M of RFM: level, spread and refunds          needs: amount
SELECT customer_id, as_of,
       sum(amount)::FLOAT                                       AS amount_total,
       avg(amount)::FLOAT                                       AS amount_mean,
       max(amount)::FLOAT                                       AS amount_max,
       stddev_samp(amount)::FLOAT                               AS amount_stddev,
       arg_max(amount, (event_time, amount))::FLOAT             AS amount_last,
       count(*) FILTER (amount < 0)::FLOAT                      AS n_refunds,
       (count(*) FILTER (amount < 0) / count(*))::FLOAT         AS refund_share
FROM history
GROUP BY customer_id, as_of
