-- sql/checks/warning_events_in_future.sql: events later than now (UTC), which do not count yet
SELECT * FROM behavior.events WHERE event_time > current_timestamp AT TIME ZONE 'UTC'
