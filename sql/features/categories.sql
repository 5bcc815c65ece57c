-- sql/features/categories.sql: the share of each item category in what the customer touched          needs: item_id, items.category
SELECT customer_id, as_of,
       map(list(category), list((n / total)::FLOAT)) AS share_by_category,
       count(*)::FLOAT                               AS n_categories
FROM (SELECT customer_id, as_of, category::VARCHAR AS category, count(*) AS n,
             sum(count(*)) OVER (PARTITION BY customer_id, as_of) AS total
      FROM (SELECT customer_id, as_of, item_id FROM history) JOIN (SELECT item_id, category FROM items) USING (item_id)
      WHERE category IS NOT NULL
      GROUP BY customer_id, as_of, category)
GROUP BY customer_id, as_of
