-- sql/labels/clv.sql: what is spent in the horizon, refunds taken off, and on how many days something is bought that is not given back within it
SELECT coalesce(sum(net), 0)::DOUBLE AS label,
       count(*) FILTER (bought = 0 OR lowest > balance - net)::DOUBLE AS orders       -- as in sql/features/buying.sql
FROM (SELECT *, min(balance) OVER (ORDER BY day ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS lowest
      FROM (SELECT *, sum(net) OVER (ORDER BY day ROWS UNBOUNDED PRECEDING) AS balance
            FROM (SELECT event_time::DATE AS day, sum(amount) AS net, sum(amount) FILTER ({order}) AS bought
                  FROM future WHERE {spent} GROUP BY event_time::DATE)))
