-- sql/features/cadence.sql: the rhythm of active days, and how overdue the next one is; deviations are of exact sums, which no order of rows changes
SELECT customer_id, as_of,
       avg(gap)::FLOAT                                                    AS gap_mean_days,
       sqrt((count(gap) * sum(gap * gap) - sum(gap) * sum(gap)) / nullif(count(gap) * (count(gap) - 1), 0))::FLOAT AS gap_stddev_days,
       max(gap)::FLOAT                                                    AS gap_max_days,
       arg_max(gap, day)::FLOAT                                           AS gap_last_days,
       ((as_of::DATE - max(day)) / avg(gap))::FLOAT                       AS overdue_ratio,
       ((as_of::DATE - max(day) - avg(gap)) / (gap_stddev_days + 1))::FLOAT AS overdue_deviations
FROM days
GROUP BY customer_id, as_of
