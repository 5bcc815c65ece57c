-- sql/report/segments.sql: the segments of one version, and in words the five features that tell most of each
WITH ranked AS (
    SELECT segment, feature, mean, z,
           row_number() OVER (PARTITION BY segment, regexp_replace(feature, '_\d+d', '', 'g') ORDER BY abs(z) DESC, feature) AS among_windows
    FROM ml.segment_profiles WHERE version_id = $1
), telling AS (
    SELECT segment, (list({'feature': feature, 'mean': mean, 'z': z} ORDER BY abs(z) DESC, feature))[:5] AS telling
    FROM ranked WHERE among_windows = 1 GROUP BY segment
)
SELECT s.segment, s.name, s.customers, s.customers / sum(s.customers) OVER () AS share, s.revenue / sum(s.revenue) OVER () AS revenue_share, telling
FROM ml.segment_sizes s LEFT JOIN telling USING (segment) WHERE s.version_id = $1 ORDER BY s.segment
