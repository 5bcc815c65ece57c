-- sql/demo/shop.sql: a generated shop whose churn process is known: $customers customers over $days days up to 2026-06-30, drawn from $seed
-- Each customer visits on day d with probability 1 - exp(-rate * season(d)) while alive, and dies each day with probability hazard.
-- Every random number is a hash of (who, what, seed): the same shop on any machine and any number of threads.
CREATE OR REPLACE TEMP MACRO shop_u(who, what) AS (hash(who, what, $seed) + 1) / 18446744073709551617.0::DOUBLE;
CREATE OR REPLACE TEMP MACRO shop_normal(who, what) AS sqrt(-2 * ln(shop_u(who, what || ' r'))) * cos(2 * pi() * shop_u(who, what || ' a'));
CREATE OR REPLACE TEMP MACRO shop_season(date) AS (1 + 0.3 * sin(2 * pi() * (dayofyear(date) - 250) / 365)) * CASE WHEN isodow(date) >= 6 THEN 1.3 ELSE 0.9 END;

CREATE OR REPLACE TABLE main.shop_items AS
SELECT i::INTEGER AS product_id,
       ['books', 'garden', 'kitchen', 'toys', 'sports', 'beauty'][1 + (hash(i, $seed) % 6)::INT] AS category,
       round(exp(3 + 0.8 * shop_normal(i, 'price')), 2) AS price
FROM range(1, 401) t(i);

-- what the shop does not know of its customers
CREATE OR REPLACE TABLE main.shop_truth AS
SELECT customer_id, born, rate, hazard, born + (ln(shop_u(customer_id, 'life')) / ln(1 - hazard))::INTEGER AS dies, taste
FROM (
    SELECT customer_id,
           DATE '2026-06-30' - $days::INTEGER + (CASE WHEN shop_u(customer_id, 'old') < 0.3 THEN 0 ELSE shop_u(customer_id, 'born') END * 0.97 * $days)::INTEGER AS born,
           exp(-3.0 + 0.9 * shop_normal(customer_id, 'rate')) AS rate,
           exp(-5.6 + 0.5 * shop_normal(customer_id, 'hazard') - CASE WHEN shop_u(customer_id, 'plan') < 0.3 THEN 0.9 ELSE 0 END) AS hazard,
           (shop_u(customer_id, 'taste') * 400)::INTEGER AS taste
    FROM range(1, $customers + 1) t(customer_id));

CREATE OR REPLACE TABLE main.shop_customers AS
SELECT customer_id::BIGINT AS customer_id,
       CASE WHEN shop_u(customer_id, 'plan') < 0.3 THEN 'plus' ELSE 'basic' END AS plan,
       ['DE', 'FR', 'ES', 'IT', 'NL'][1 + (hash(customer_id, 'country') % 5)::INT] AS country,
       ['search', 'ads', 'friend'][1 + (hash(customer_id, 'channel') % 3)::INT] AS channel,
       born AS signed_up
FROM main.shop_truth;

CREATE OR REPLACE TABLE main.shop_events AS
WITH visits AS (
    SELECT customer_id, taste, day, hash(customer_id, day, $seed) AS visit,
           day + to_seconds((8 + 14 * shop_u(customer_id, day::VARCHAR || ' time')) * 3600) AS started
    FROM main.shop_truth, LATERAL (SELECT unnest(generate_series(born, least(dies, DATE '2026-06-30'), INTERVAL 1 DAY))::DATE AS day)
    WHERE shop_u(customer_id, day::VARCHAR) < 1 - exp(-rate * shop_season(day))
), touches AS (
    SELECT customer_id, visit, n, started + to_seconds(n * 97) AS seen_at,
           1 + (CASE WHEN shop_u(visit, 'own' || n) < 0.6 THEN taste + shop_u(visit, 'near' || n) * 40 ELSE shop_u(visit, 'any' || n) * 400 END)::INTEGER % 400 AS product_id
    FROM visits, LATERAL (SELECT unnest(range(1 + (hash(visit, 'views') % 3)::BIGINT)) AS n)
), steps AS (
    SELECT *, 'view' AS action, 0 AS after FROM touches
    UNION ALL SELECT *, 'cart', 30 FROM touches WHERE shop_u(visit, 'cart' || n) < 0.3
    UNION ALL SELECT *, 'purchase', 60 FROM touches WHERE shop_u(visit, 'cart' || n) < 0.16
    UNION ALL SELECT *, 'refund', 90 FROM touches WHERE shop_u(visit, 'cart' || n) < 0.006
)
SELECT customer_id::BIGINT AS customer_id, date_trunc('second', seen_at + to_seconds(after)) AS happened_at, action, product_id,
       CASE action WHEN 'purchase' THEN price WHEN 'refund' THEN -price END AS revenue
FROM steps JOIN main.shop_items USING (product_id)
ORDER BY customer_id, happened_at;
