-- sql/checks/warning_known_before_event.sql: events known before they happened          needs: known_at
SELECT * FROM behavior.events WHERE known_at < event_time
