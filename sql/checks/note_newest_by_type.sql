-- sql/checks/note_newest_by_type.sql: event types, with their first and newest time          needs: event_type
SELECT event_type, count(*) AS n_events, min(event_time) AS first_event, max(event_time) AS newest_event
FROM behavior.events GROUP BY event_type ORDER BY newest_event DESC
