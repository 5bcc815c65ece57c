-- sql/binding/history_as_of.sql: history at one moment: every event known by then, the moment beside it
SELECT * REPLACE (event_time::TIMESTAMP AS event_time{amount}), {as_of} AS as_of
FROM behavior.events
WHERE event_time <= {as_of} AND customer_id IS NOT NULL {known}
