-- sql/binding/labels.sql: the label of each (customer_id, as_of) of `asked`, over its possibly empty future (as_of, as_of + window], up to known_by
WITH every_future AS (
    SELECT e.* REPLACE (e.event_time::TIMESTAMP AS event_time{amount}), a.as_of
    FROM behavior.events e JOIN {asked} a ON e.customer_id = a.customer_id
     AND e.event_time > a.as_of AND e.event_time <= a.as_of + to_seconds($window_seconds)
     AND e.event_time <= $known_by::TIMESTAMP {known}
    UNION ALL BY NAME SELECT NULL::VARCHAR AS event_type WHERE false
)
SELECT a.customer_id, a.as_of, l.*
FROM {asked} a, LATERAL (
    WITH future AS (SELECT * FROM every_future f WHERE f.customer_id = a.customer_id AND f.as_of = a.as_of)
    {label}) l
