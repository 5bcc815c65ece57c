-- sql/features/day_amount.sql: what an active day brings          needs: amount
SELECT customer_id, as_of,
       (sum(amount) / count(*))::FLOAT AS amount_per_active_day
FROM days
GROUP BY customer_id, as_of
