-- sql/binding/history_as_of.sql: history at one moment: every event known by then, the moment beside it
SELECT {columns}, {as_of} AS as_of
FROM behavior.events e
WHERE {time} <= {as_of} AND e.customer_id IS NOT NULL {known}
