-- sql/recommend/histories.sql: every event with an item that is known, one row each
CREATE OR REPLACE TEMP TABLE sqlml_histories AS
SELECT customer_id, place, e.item AS item, e.weight AS weight, e.age AS age
FROM (SELECT customer_id, generate_subscripts(events, 1) AS place, unnest(events) AS e FROM ({histories}))
