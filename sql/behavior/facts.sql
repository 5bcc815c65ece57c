-- sql/behavior/facts.sql: size and time range of the events that count
SELECT count(*)                                      AS n_events,
       count(DISTINCT customer_id)                   AS n_customers,
       min(event_time)::TIMESTAMP                    AS first_event,
       max(event_time)::TIMESTAMP                    AS newest_event,
       (current_timestamp AT TIME ZONE 'UTC')::TIMESTAMP AS now
FROM behavior.events
WHERE event_time <= current_timestamp AT TIME ZONE 'UTC' AND customer_id IS NOT NULL
