-- sql/functions/all_ids.sql: every customer that has an event
SELECT DISTINCT customer_id FROM behavior.events WHERE customer_id IS NOT NULL
