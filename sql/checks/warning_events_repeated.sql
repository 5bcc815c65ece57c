-- sql/checks/warning_events_repeated.sql: rows of behavior.events that occur more than once, each counted as an event of its own
SELECT *, count(*) AS n_rows FROM behavior.events GROUP BY ALL HAVING count(*) > 1
