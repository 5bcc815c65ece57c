-- sql/binding/history_spine.sql: history for many moments: the events each pair (customer_id, as_of) of `asked` could know
SELECT e.* REPLACE (e.event_time::TIMESTAMP AS event_time{amount}), a.as_of
FROM behavior.events e JOIN asked a ON e.customer_id = a.customer_id AND e.event_time <= a.as_of {known}
