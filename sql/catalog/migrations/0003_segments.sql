-- sql/catalog/migrations/0003_segments.sql: the segments of a version, what sets each apart, who moved between them
CREATE TABLE ml.segment_sizes (version_id VARCHAR NOT NULL, segment INTEGER NOT NULL, name VARCHAR NOT NULL, customers BIGINT NOT NULL, revenue DOUBLE);   -- when it was made; of rows: how many
CREATE TABLE ml.segment_profiles (version_id VARCHAR NOT NULL, segment INTEGER NOT NULL, feature VARCHAR NOT NULL, mean DOUBLE, z DOUBLE NOT NULL, is_main BOOLEAN NOT NULL);   -- z: of signed logarithms
CREATE TABLE ml.segment_transitions (version_id VARCHAR NOT NULL, since TIMESTAMP NOT NULL, until TIMESTAMP NOT NULL, from_segment INTEGER, to_segment INTEGER, customers BIGINT NOT NULL);   -- NULL: no history by then
CREATE MACRO ml.segmented(__sqlml_model) AS (
    SELECT CASE WHEN v.task = 'segment' THEN v.version_id
                ELSE error('Model ''' || __sqlml_model || ''' makes no segments: its task is ' || v.task || '. CREATE MODEL segment OPTIONS (task = ''segment'') makes some.') END
    FROM ml.versions v WHERE v.version_id = ml.version_of(__sqlml_model));
CREATE MACRO ml.segment_profile(__sqlml_model) AS TABLE
SELECT s.segment, s.name, p.feature, p.mean, p.z
FROM ml.segment_profiles p JOIN ml.segment_sizes s USING (version_id, segment)
WHERE p.version_id = ml.segmented(__sqlml_model) ORDER BY s.segment, abs(p.z) DESC, p.feature;
-- of windows of one feature, such as the last 30 and 90 days, the most telling one
CREATE MACRO ml.segments_of(__sqlml_version_id) AS TABLE
WITH ranked AS (
    SELECT rowid AS place, segment, feature, mean, z, is_main,
           row_number() OVER (PARTITION BY segment, regexp_replace(feature, '_\d+d', '', 'g') ORDER BY abs(z) DESC, feature) AS among_windows
    FROM ml.segment_profiles WHERE version_id = __sqlml_version_id
), profiles AS (
    SELECT segment, map_from_entries(list((feature, mean) ORDER BY place) FILTER (is_main)) AS averages,
           (list({'feature': feature, 'mean': mean, 'z': z} ORDER BY abs(z) DESC, feature) FILTER (among_windows = 1))[:5] AS telling
    FROM ranked GROUP BY segment
)
SELECT s.segment, s.name, s.customers, s.customers / sum(s.customers) OVER () AS share, s.revenue,
       s.revenue / sum(s.revenue) OVER () AS revenue_share, averages, telling
FROM ml.segment_sizes s LEFT JOIN profiles USING (segment)
WHERE s.version_id = __sqlml_version_id ORDER BY s.segment;
CREATE MACRO ml.segments(__sqlml_model) AS TABLE
FROM ml.segments_of(ml.segmented(__sqlml_model));
CREATE MACRO ml.segment_moves(__sqlml_model, since, until) AS TABLE
FROM query('FROM ml."' || replace(__sqlml_model, '"', '""') || '__moves"(TIMESTAMP ''' || ml.utc(since) || ''', TIMESTAMP ''' || ml.utc(until) || ''')')
ORDER BY from_segment, to_segment;
INSERT INTO ml.schema_version VALUES ('sqlml', 3, current_timestamp AT TIME ZONE 'UTC');
