-- sql/checks/warning_no_event.sql: events, none of which has a value in event_type: is the column, or the path, the right one?          needs: event_type
SELECT * FROM behavior.events WHERE (SELECT count(event_type) FROM behavior.events) = 0
