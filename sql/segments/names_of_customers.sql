-- sql/segments/names_of_customers.sql: a name for each segment from how long ago, how often and for how much its customers came
WITH known AS (
    SELECT segment, map_from_entries(list((feature, z))) AS z, map_from_entries(list((feature, mean))) AS mean,
           map_from_entries(list((feature, mean / nullif(mean_of_all, 0)))) AS ratio,
           bool_or(bool_or(feature = 'amount_total')) OVER () AS has_amounts
    FROM sqlml_profiles GROUP BY segment
), named AS (
    SELECT segment, mean,
           concat_ws(' ',
               CASE WHEN z['recency_days'] > .5 THEN 'lapsed' WHEN z['tenure_days'] < -.75 AND ratio['tenure_days'] < .4 THEN 'new' WHEN z['recency_days'] < -.75 THEN 'active' END,
               CASE WHEN mean['n_active_days'] < 1.5 THEN 'one-time' WHEN ratio['n_active_days'] >= 2 THEN 'frequent' END,
               CASE WHEN NOT has_amounts THEN 'customers' WHEN abs(ratio['amount_total']) < .01 THEN 'visitors' WHEN mean['amount_total'] < 0 THEN 'refunders'
                    WHEN ratio['amount_total'] >= 8 THEN 'top spenders' WHEN ratio['amount_total'] >= 1.7 THEN 'high spenders'
                    WHEN ratio['amount_total'] < .6 THEN 'low spenders' ELSE 'buyers' END) AS name
    FROM known
), differing AS (
    -- of segments that would share a name: in what they differ most
    SELECT n.name, max_by(feature, (CASE WHEN low > 0 THEN high / low ELSE high - low END, feature)) AS feature
    FROM (SELECT n.name, p.feature, min(p.mean) AS low, max(p.mean) AS high, count(*) AS n_same
          FROM sqlml_profiles p JOIN named n USING (segment) WHERE is_main GROUP BY ALL) n
    WHERE n_same > 1 GROUP BY n.name
)
SELECT segment, name || CASE d.feature WHEN 'recency_days' THEN format(', last seen {:.0f} days ago', mean['recency_days'])
                                       WHEN 'n_active_days' THEN format(', {:.0f} active days', mean['n_active_days'])
                                       WHEN 'amount_total' THEN format(', {:,.0f} spent', mean['amount_total']) ELSE '' END AS name
FROM named LEFT JOIN differing d USING (name)
