-- sql/functions/scored_at.sql: the moment that everybody is scored at, the first event, and whether one is known by then
SELECT l.moment::VARCHAR, first.event_time::VARCHAR, first.event_time <= l.moment
FROM ml.latest __sqlml_newest, LATERAL (SELECT {moment} AS moment FROM (SELECT coalesce($as_of::TIMESTAMP, __sqlml_newest.as_of) AS as_of)) l,
     (SELECT min(event_time)::TIMESTAMP AS event_time FROM behavior.events WHERE customer_id IS NOT NULL) first
