-- sql/features/trend_days.sql: active days in the last 30, 90 and 365 days
SELECT customer_id, as_of,
       count(*) FILTER (newest > as_of - INTERVAL 30 DAY)::FLOAT  AS active_days_30d,
       count(*) FILTER (newest > as_of - INTERVAL 90 DAY)::FLOAT  AS active_days_90d,
       count(*) FILTER (newest > as_of - INTERVAL 365 DAY)::FLOAT AS active_days_365d
FROM days
GROUP BY customer_id, as_of
