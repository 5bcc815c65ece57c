-- sql/binding/spine.sql: the customers asked for that have at least one event by as_of and belong to the population; others score NULL
SELECT customer_id, as_of
FROM history GROUP BY customer_id, as_of
HAVING ({population}
)
