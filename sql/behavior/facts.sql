-- sql/behavior/facts.sql: size and time range of the events that count; one date of long ago does not move the start
SELECT count(*)                                      AS n_events,
       count(DISTINCT customer_id)                   AS n_customers,
       greatest(quantile_disc(event_time, 0.001)::TIMESTAMP, TIMESTAMP '0001-01-01') AS first_event,  -- Python knows no year before
       max(event_time)::TIMESTAMP                    AS newest_event,
       (current_timestamp AT TIME ZONE 'UTC')::TIMESTAMP AS now,
       greatest(min(event_time)::TIMESTAMP, TIMESTAMP '0001-01-01') AS oldest_event
FROM behavior.events
WHERE event_time <= current_timestamp AT TIME ZONE 'UTC' AND customer_id IS NOT NULL
