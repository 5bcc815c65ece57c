-- sql/features/trend_amount.sql: amounts in the last 7, 30, 90, 180 and 365 days, and their ratios          needs: amount
SELECT customer_id, as_of,
       coalesce(sum(amount) FILTER (event_time > as_of - INTERVAL 7 DAY), 0)::FLOAT   AS amount_7d,
       coalesce(sum(amount) FILTER (event_time > as_of - INTERVAL 30 DAY), 0)::FLOAT  AS amount_30d,
       coalesce(sum(amount) FILTER (event_time > as_of - INTERVAL 90 DAY), 0)::FLOAT  AS amount_90d,
       coalesce(sum(amount) FILTER (event_time > as_of - INTERVAL 180 DAY), 0)::FLOAT AS amount_180d,
       coalesce(sum(amount) FILTER (event_time > as_of - INTERVAL 365 DAY), 0)::FLOAT AS amount_365d,
       (coalesce(sum(amount) FILTER (event_time > as_of - INTERVAL 30 DAY), 0) / nullif(sum(amount) FILTER (event_time > as_of - INTERVAL 90 DAY), 0))::FLOAT   AS amount_ratio_30d_90d,
       (coalesce(sum(amount) FILTER (event_time > as_of - INTERVAL 90 DAY), 0) / nullif(sum(amount) FILTER (event_time > as_of - INTERVAL 180 DAY), 0))::FLOAT  AS amount_ratio_90d_180d,
       (coalesce(sum(amount) FILTER (event_time > as_of - INTERVAL 180 DAY), 0) / nullif(sum(amount) FILTER (event_time > as_of - INTERVAL 365 DAY), 0))::FLOAT AS amount_ratio_180d_365d
FROM history
GROUP BY customer_id, as_of
