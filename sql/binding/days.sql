-- sql/binding/days.sql: the days on which each customer was active: how often, when first and last, what for, how long after the day before
SELECT *, day - lag(day) OVER (PARTITION BY customer_id, as_of ORDER BY day) AS gap
FROM (SELECT customer_id, as_of, event_time::DATE AS day, count(*) AS n_events,
             min(event_time) AS oldest, max(event_time) AS newest{sums}
      FROM history GROUP BY customer_id, as_of, event_time::DATE)
