-- sql/features/recency.sql: recency, frequency and tenure, the R and F of RFM
SELECT customer_id, as_of,
       count(*)::FLOAT                                                           AS n_events,
       count(DISTINCT event_time::DATE)::FLOAT                                   AS n_active_days,
       ((epoch(as_of) - epoch(max(event_time))) / 86400)::FLOAT                  AS recency_days,
       ((epoch(as_of) - epoch(min(event_time))) / 86400)::FLOAT                  AS tenure_days,
       ((epoch(max(event_time)) - epoch(min(event_time))) / 86400)::FLOAT        AS active_span_days,
       ((epoch(as_of) - epoch(max(event_time))) / (epoch(as_of) - epoch(min(event_time)) + 86400))::FLOAT AS recency_share,
       (count(DISTINCT event_time::DATE) / ((epoch(as_of) - epoch(min(event_time))) / 86400 + 30))::FLOAT AS active_day_rate
FROM history
GROUP BY customer_id, as_of
