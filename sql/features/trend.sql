-- sql/features/trend.sql: events in the last 7, 30, 90, 180 and 365 days, and whether they rise or fall
SELECT customer_id, as_of,
       count(*) FILTER (event_time > as_of - INTERVAL 7 DAY)::FLOAT   AS events_7d,
       count(*) FILTER (event_time > as_of - INTERVAL 30 DAY)::FLOAT  AS events_30d,
       count(*) FILTER (event_time > as_of - INTERVAL 90 DAY)::FLOAT  AS events_90d,
       count(*) FILTER (event_time > as_of - INTERVAL 180 DAY)::FLOAT AS events_180d,
       count(*) FILTER (event_time > as_of - INTERVAL 365 DAY)::FLOAT AS events_365d,
       (count(*) FILTER (event_time > as_of - INTERVAL 7 DAY) / nullif(count(*) FILTER (event_time > as_of - INTERVAL 30 DAY), 0))::FLOAT    AS events_ratio_7d_30d,
       (count(*) FILTER (event_time > as_of - INTERVAL 30 DAY) / nullif(count(*) FILTER (event_time > as_of - INTERVAL 90 DAY), 0))::FLOAT   AS events_ratio_30d_90d,
       (count(*) FILTER (event_time > as_of - INTERVAL 90 DAY) / nullif(count(*) FILTER (event_time > as_of - INTERVAL 180 DAY), 0))::FLOAT  AS events_ratio_90d_180d,
       (count(*) FILTER (event_time > as_of - INTERVAL 180 DAY) / nullif(count(*) FILTER (event_time > as_of - INTERVAL 365 DAY), 0))::FLOAT AS events_ratio_180d_365d
FROM history
GROUP BY customer_id, as_of
