-- sql/features/recency.sql: recency, frequency and tenure, the R and F of RFM
SELECT customer_id, as_of,
       sum(n_events)::FLOAT                                                 AS n_events,
       count(*)::FLOAT                                                      AS n_active_days,
       ((epoch(as_of) - epoch(max(newest))) / 86400)::FLOAT                 AS recency_days,
       ((epoch(as_of) - epoch(min(oldest))) / 86400)::FLOAT                 AS tenure_days,
       ((epoch(max(newest)) - epoch(min(oldest))) / 86400)::FLOAT           AS active_span_days,
       ((epoch(as_of) - epoch(max(newest))) / (epoch(as_of) - epoch(min(oldest)) + 86400))::FLOAT AS recency_share,
       (count(*) / ((epoch(as_of) - epoch(min(oldest))) / 86400 + 30))::FLOAT AS active_day_rate
FROM days
GROUP BY customer_id, as_of
