-- sql/checks/warning_events_long_ago.sql: events over a year older than all but one in a thousand: default dates? Cut-offs ignore them
SELECT * FROM behavior.events
WHERE event_time < (SELECT quantile_disc(event_time, 0.001) FROM behavior.events) - INTERVAL 1 YEAR
