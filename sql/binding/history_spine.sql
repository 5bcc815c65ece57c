-- sql/binding/history_spine.sql: history for many moments: the events each pair (customer_id, as_of) of `asked` could know
SELECT {columns}, a.as_of
FROM behavior.events e JOIN asked a ON e.customer_id = a.customer_id AND {time} <= a.as_of {known}
