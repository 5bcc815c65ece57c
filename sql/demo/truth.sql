-- sql/demo/truth.sql: the true probability that a customer of the generated shop has no event in the $horizon_days days after $as_of, given what the shop cannot see
WITH days AS (
    SELECT d, sum((1 + 0.3 * sin(2 * pi() * (dayofyear(date) - 250) / 365)) * CASE WHEN isodow(date) >= 6 THEN 1.3 ELSE 0.9 END) OVER (ORDER BY d) AS season
    FROM (SELECT d, $as_of::DATE + d::INTEGER AS date FROM range(1, $horizon_days + 1) t(d))
)
SELECT t.customer_id,
       CASE WHEN dies <= $as_of::DATE THEN 1
            ELSE hazard + sum((1 - hazard) ^ d * exp(-rate * season) * CASE WHEN d = $horizon_days THEN 1 ELSE hazard END) END AS probability
FROM main.shop_truth t, days
WHERE born <= $as_of::DATE
GROUP BY t.customer_id, dies, hazard
