-- sql/binding/spine.sql: the customers asked for that have at least one event by as_of and belong to the population, with the sums of their history; others score NULL
SELECT customer_id, as_of{features}
FROM history
GROUP BY customer_id, as_of
HAVING ({population}
)
