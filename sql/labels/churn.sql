-- sql/labels/churn.sql: TRUE where the horizon holds no event (of the type active_event, if one is named)
SELECT count(*) FILTER ($active_event IS NULL OR event_type = $active_event) = 0 AS label
FROM future
