-- sql/examples/spine.sql: who is an example at which cut-off: every customer with history, or with history of late
CREATE OR REPLACE TEMP TABLE sqlml_spine AS
SELECT e.customer_id, c.as_of, max(e.event_time) > c.as_of - to_seconds($horizon_seconds) AS is_active
FROM (SELECT unnest($cutoffs::TIMESTAMP[]) AS as_of) c
JOIN behavior.events e ON e.event_time <= c.as_of AND e.customer_id IS NOT NULL {known}
GROUP BY e.customer_id, c.as_of
HAVING $within_seconds IS NULL OR max(e.event_time) > c.as_of - to_seconds($within_seconds)
