-- sql/behavior/silence.sql: the most days between two days with events; a hole in the log, or a date of long ago, does not count
SELECT greatest(1, coalesce(least(max(gap), 30 * median(gap)), 1))::INTEGER
FROM (SELECT day - lag(day) OVER (ORDER BY day) AS gap
      FROM (SELECT DISTINCT event_time::DATE AS day FROM behavior.events
            WHERE event_time <= current_timestamp AT TIME ZONE 'UTC' AND customer_id IS NOT NULL))
