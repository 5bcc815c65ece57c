-- sql/features/buying.sql: what BG/NBD and Gamma-Gamma ask of a customer; an order is a day with purchases          needs: amount, orders
SELECT customer_id, as_of,
       count(*) FILTER (nth > 1)::FLOAT                                   AS repeat_orders,
       date_diff('day', min(day), max(day))::FLOAT                        AS last_order_days,
       date_diff('day', min(day), as_of::DATE)::FLOAT                     AS first_order_days,
       avg(spent) FILTER (nth > 1)::FLOAT                                 AS repeat_order_amount,
       avg(spent)::FLOAT                                                  AS order_amount
FROM (SELECT customer_id, as_of, event_time::DATE AS day, sum(amount) AS spent,
             row_number() OVER (PARTITION BY customer_id, as_of ORDER BY event_time::DATE) AS nth
      FROM history WHERE {order}
      GROUP BY customer_id, as_of, event_time::DATE)
GROUP BY customer_id, as_of
