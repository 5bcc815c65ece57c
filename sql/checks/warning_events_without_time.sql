-- sql/checks/warning_events_without_time.sql: events without an event_time, which are left out
SELECT * FROM behavior.events WHERE event_time IS NULL
