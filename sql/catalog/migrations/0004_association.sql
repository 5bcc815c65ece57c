-- sql/catalog/migrations/0004_association.sql: what is bought together: frequent itemsets and association rules, exact
-- a basket is a customer at one moment, or what the column `basket` says
CREATE MACRO ml.basket_lines(relation, basket, item) AS TABLE
FROM query('SELECT DISTINCT ' || coalesce('"' || replace(basket, '"', '""') || '"', 'CASE WHEN customer_id IS NOT NULL THEN {c: customer_id, t: event_time} END') || ' AS place, "'
    || replace(item, '"', '""') || '"::VARCHAR AS product FROM query_table(''' || replace(relation, '''', '''''') || ''')');
-- a priori (Agrawal & Srikant 1994): an itemset grows by items behind its last one, while enough baskets hold all of it
CREATE MACRO ml.frequent_itemsets(min_support := 0.001, max_length := 4, relation := 'behavior.events', basket := NULL, item := 'item_id') AS TABLE
WITH RECURSIVE lines AS MATERIALIZED (
    SELECT dense_rank() OVER (ORDER BY place) AS place, product
    FROM ml.basket_lines(relation, basket, item) WHERE place IS NOT NULL AND product IS NOT NULL
), total AS (
    SELECT count(DISTINCT place) AS n FROM lines
), frequent AS MATERIALIZED (
    SELECT product, row_number() OVER (ORDER BY product) AS code FROM lines GROUP BY product
    HAVING count(*) / (SELECT n FROM total) >= min_support
), coded AS MATERIALIZED (
    SELECT place, code FROM lines JOIN frequent USING (product)
), grown(codes, place) AS (
    SELECT [code], place FROM coded
    UNION ALL
    SELECT * FROM (
        SELECT list_append(g.codes, c.code) AS codes, place
        FROM grown g JOIN coded c USING (place)
        WHERE c.code > g.codes[-1] AND len(g.codes) < max_length
    ) QUALIFY count(*) OVER (PARTITION BY codes) / (SELECT n FROM total) >= min_support
), sets AS (
    SELECT codes, count(*) AS baskets FROM grown GROUP BY codes
), names AS (SELECT list(product ORDER BY code) AS names FROM frequent)
SELECT list_transform(codes, lambda c: names[c]) AS itemset, baskets, baskets / (SELECT n FROM total) AS support FROM sets, names;
CREATE MACRO ml.association_rules(min_support := 0.001, min_confidence := 0.5, max_length := 4, relation := 'behavior.events', basket := NULL, item := 'item_id') AS TABLE
WITH sets AS MATERIALIZED (
    FROM ml.frequent_itemsets(min_support := min_support, max_length := max_length, relation := relation, basket := basket, item := item)
), split AS (
    SELECT itemset, support, baskets,
           list_filter(itemset, lambda x, i: (mask >> (i - 1)) & 1 = 1) AS antecedent,
           list_filter(itemset, lambda x, i: (mask >> (i - 1)) & 1 = 0) AS consequent
    FROM sets, range(1, (1 << len(itemset)) - 1) AS r(mask) WHERE len(itemset) > 1
)
SELECT s.antecedent, s.consequent, s.baskets, s.support, s.support / a.support AS confidence,
       s.support / a.support / c.support AS lift, s.support - a.support * c.support AS leverage,
       CASE WHEN s.baskets = a.baskets THEN 'infinity'::DOUBLE ELSE (1 - c.support) / (1 - s.support / a.support) END AS conviction
FROM split s JOIN sets a ON a.itemset = s.antecedent JOIN sets c ON c.itemset = s.consequent
WHERE s.support / a.support >= min_confidence
ORDER BY confidence DESC, s.support DESC, s.antecedent, s.consequent;
INSERT INTO ml.schema_version VALUES ('sqlml', 4, current_timestamp AT TIME ZONE 'UTC');
