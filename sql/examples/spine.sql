-- sql/examples/spine.sql: who is an example at which cut-off: every customer with history who belongs to the population
CREATE OR REPLACE TEMP TABLE sqlml_spine AS
WITH asked AS (
    SELECT DISTINCT e.customer_id, c.as_of
    FROM behavior.events e, (SELECT unnest($cutoffs::TIMESTAMP[]) AS as_of) c
    WHERE e.customer_id IS NOT NULL
), history AS (
    {history}
)
SELECT customer_id, as_of, max(event_time) > as_of - to_seconds($horizon_seconds) AS is_active
FROM history GROUP BY customer_id, as_of
HAVING ($within_seconds IS NULL OR max(event_time) > as_of - to_seconds($within_seconds)) AND ({population}
)
