-- sql/labels/clv.sql: what is spent in the horizon, refunds taken off, and on how many days something is bought
SELECT round(coalesce(sum(CASE WHEN abs(amount) <= 1e15 THEN amount END) FILTER ({spent}), 0)::DOUBLE, 6) AS label,   -- threads add up in any order
       count(DISTINCT event_time::DATE) FILTER ({order})::DOUBLE AS orders
FROM future
