-- sql/binding/spine.sql: the customers asked for that have at least one event by as_of; others score NULL
SELECT DISTINCT customer_id, as_of
FROM history
