-- sql/features/buying.sql: what BG/NBD and Gamma-Gamma ask of a customer; an order is a day with purchases, worth what refunds left of it: each is taken off the newest orders before it          needs: amount, orders
SELECT customer_id, as_of,
       (n_orders - 1)::FLOAT                                              AS repeat_orders,
       date_diff('day', first_day, last_day)::FLOAT                       AS last_order_days,
       date_diff('day', first_day, as_of::DATE)::FLOAT                    AS first_order_days,
       ((bought - coalesce(taken, 0) - coalesce(first_kept, first_bought)) / nullif(greatest(n_orders - coalesce(n_refunded, 0) - 1, 0), 0))::FLOAT AS repeat_order_amount,
       ((bought - coalesce(taken, 0)) / nullif(n_orders - coalesce(n_refunded, 0), 0))::FLOAT AS order_amount,
       coalesce(n_refunded, 0)::FLOAT                                     AS refunded_orders
FROM (SELECT customer_id, as_of, count(*) AS n_orders, min(day) AS first_day, max(day) AS last_day, sum(bought) AS bought, arg_min(bought, day) AS first_bought
      FROM (SELECT customer_id, as_of, event_time::DATE AS day, sum(amount) AS bought
            FROM history WHERE {order}
            GROUP BY customer_id, as_of, event_time::DATE)
      GROUP BY customer_id, as_of)
LEFT JOIN (
      SELECT customer_id, as_of, sum(bought - coalesce(kept, 0)) AS taken, count(bought) - count(kept) AS n_refunded, arg_min(kept, day) AS first_kept
      -- balances of days as a stack: of an order is left what lies below the lowest balance that follows it
      FROM (SELECT *, CASE WHEN bought = 0 THEN bought WHEN lowest > balance - net THEN least(lowest - balance + net, bought) END AS kept
            FROM (SELECT *, min(balance) OVER (PARTITION BY customer_id, as_of ORDER BY day ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS lowest
                  FROM (SELECT *, sum(net) OVER (PARTITION BY customer_id, as_of ORDER BY day ROWS UNBOUNDED PRECEDING) AS balance
                        FROM (SELECT customer_id, as_of, event_time::DATE AS day, sum(amount) AS net, sum(amount) FILTER ({order}) AS bought
                              FROM history SEMI JOIN (SELECT customer_id, as_of FROM history WHERE amount < 0) USING (customer_id, as_of)
                              WHERE ({order}) OR amount < 0
                              GROUP BY customer_id, as_of, event_time::DATE))))
      GROUP BY customer_id, as_of) USING (customer_id, as_of)
