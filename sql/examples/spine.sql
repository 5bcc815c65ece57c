-- sql/examples/spine.sql: who is an example at which cut-off: every customer with history who belongs to the population, or a share drawn by chance
CREATE OR REPLACE TEMP TABLE sqlml_spine AS
WITH drawn AS (
    SELECT DISTINCT customer_id FROM behavior.events
    WHERE customer_id IS NOT NULL AND ($share >= 1 OR hash('example', customer_id::VARCHAR) < $share * 2.0 ** 64)
), asked AS (
    SELECT customer_id, as_of FROM drawn, (SELECT unnest($cutoffs::TIMESTAMP[]) AS as_of)
), history AS (
    {history}
)
SELECT customer_id, as_of, max(event_time) > as_of - to_seconds($horizon_seconds) AS is_active
FROM history GROUP BY customer_id, as_of
HAVING ($within_seconds IS NULL OR max(event_time) > as_of - to_seconds($within_seconds)) AND ({population}
)
