-- sql/binding/days.sql: the days on which each customer was active: how often, when first and last, and what for
SELECT customer_id, as_of, event_time::DATE AS day, count(*) AS n_events, min(event_time) AS oldest, max(event_time) AS newest{sums}
FROM history GROUP BY customer_id, as_of, event_time::DATE
