-- sql/labels/activity.sql: how many events there are in the horizon, and on how many days
SELECT (count(*) FILTER ({active}))::DOUBLE AS label,
       count(DISTINCT event_time::DATE) FILTER ({active})::DOUBLE AS orders
FROM future
