-- sql/functions/latest.sql: the moment that stands for now: the newest event that is not in the future
CREATE OR REPLACE VIEW ml.latest AS
SELECT max(ml.in_utc(event_time)) AS as_of FROM behavior.events
WHERE ml.in_utc(event_time) <= current_timestamp AT TIME ZONE 'UTC' AND customer_id IS NOT NULL;
