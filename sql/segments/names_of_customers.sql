-- sql/segments/names_of_customers.sql: a name for each segment from how long ago, how often and for how much its customers came
WITH known AS (
    SELECT segment, map_from_entries(list((feature, z))) AS z, map_from_entries(list((feature, mean))) AS mean
    FROM sqlml_profiles GROUP BY segment
), named AS (
    SELECT segment, z,
           concat_ws(' ',
               CASE WHEN z['recency_days'] > .5 THEN 'lapsed' WHEN z['tenure_days'] < -.75 THEN 'new' WHEN z['recency_days'] < -.75 THEN 'active' END,
               CASE WHEN mean['n_active_days'] < 1.5 THEN 'one-time' WHEN z['n_active_days'] > 1 THEN 'frequent' END,
               CASE WHEN z['amount_total'] > 2.5 THEN 'top spenders' WHEN z['amount_total'] > .75 THEN 'high spenders'
                    WHEN z['amount_total'] < -.5 THEN 'low spenders' WHEN z['amount_total'] IS NULL THEN 'visitors' ELSE 'buyers' END) AS name
    FROM known
), telling AS (
    SELECT n.name, p.segment, p.feature, p.z, abs(p.z - avg(p.z) OVER (PARTITION BY n.name, p.feature)) AS apart,
           p.z > avg(p.z) OVER (PARTITION BY n.name, p.feature) AS is_more, count(*) OVER (PARTITION BY n.name, p.feature) AS n_same
    FROM sqlml_profiles p JOIN named n USING (segment)
), further AS (
    SELECT segment, arg_max(CASE WHEN is_more THEN 'more ' ELSE 'less ' END || replace(feature, '_', ' '), (apart, feature)) AS what
    FROM telling WHERE n_same > 1 GROUP BY segment
)
SELECT segment, name || coalesce(', ' || what, '') AS name FROM named LEFT JOIN further USING (segment)
