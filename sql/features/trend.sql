-- sql/features/trend.sql: events in the last 7, 30, 90, 180 and 365 days, and whether they rise or fall
SELECT customer_id, as_of,
       events_7d, events_30d, events_90d, events_180d, events_365d,
       active_days_30d, active_days_90d, active_days_365d,
       (events_7d / nullif(events_30d, 0))::FLOAT    AS events_ratio_7d_30d,
       (events_30d / nullif(events_90d, 0))::FLOAT   AS events_ratio_30d_90d,
       (events_90d / nullif(events_180d, 0))::FLOAT  AS events_ratio_90d_180d,
       (events_180d / nullif(events_365d, 0))::FLOAT AS events_ratio_180d_365d
FROM (SELECT customer_id, as_of,
             count(*) FILTER (event_time > as_of - INTERVAL 7 DAY)::FLOAT   AS events_7d,
             count(*) FILTER (event_time > as_of - INTERVAL 30 DAY)::FLOAT  AS events_30d,
             count(*) FILTER (event_time > as_of - INTERVAL 90 DAY)::FLOAT  AS events_90d,
             count(*) FILTER (event_time > as_of - INTERVAL 180 DAY)::FLOAT AS events_180d,
             count(*) FILTER (event_time > as_of - INTERVAL 365 DAY)::FLOAT AS events_365d,
             count(DISTINCT event_time::DATE) FILTER (event_time > as_of - INTERVAL 30 DAY)::FLOAT  AS active_days_30d,
             count(DISTINCT event_time::DATE) FILTER (event_time > as_of - INTERVAL 90 DAY)::FLOAT  AS active_days_90d,
             count(DISTINCT event_time::DATE) FILTER (event_time > as_of - INTERVAL 365 DAY)::FLOAT AS active_days_365d
      FROM history
      GROUP BY customer_id, as_of)
