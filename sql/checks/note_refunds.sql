-- sql/checks/note_refunds.sql: events with a negative amount, taken for refunds or cancellations; for churn they are activity, unless active_event or --where leaves them out          needs: amount
SELECT * FROM behavior.events WHERE amount < 0 AND customer_id IS NOT NULL
