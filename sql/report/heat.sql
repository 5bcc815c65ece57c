-- sql/report/heat.sql: the features that tell any segment of one version from the others, and how far each segment is off in them
WITH ranked AS (
    SELECT segment, feature, mean, z, row_number() OVER (PARTITION BY segment, regexp_replace(feature, '_\d+d', '', 'g') ORDER BY abs(z) DESC, feature) AS among_windows
    FROM ml.segment_profiles WHERE version_id = $1
), most AS (
    SELECT feature, max(abs(z)) AS size FROM ranked
    WHERE among_windows = 1 GROUP BY feature ORDER BY size DESC, feature LIMIT 16
)
SELECT feature, segment, p.mean, p.z FROM ranked p JOIN most USING (feature) ORDER BY size DESC, feature, segment
