-- sql/segments/profiles.sql: of each segment and feature the mean, and by how many standard deviations it is off that of all, in signed logarithms
CREATE OR REPLACE TEMP TABLE sqlml_profiles AS
WITH tall AS (
    SELECT __sqlml_segment AS segment, feature, value, sign(value) * ln(1 + abs(value)) AS logarithm
    FROM (UNPIVOT (SELECT * EXCLUDE (__sqlml_worth) FROM sqlml_segmented) ON COLUMNS(* EXCLUDE (__sqlml_segment)) INTO NAME feature VALUE value)
), everyone AS (
    SELECT feature, avg(value) AS mean, avg(logarithm) AS mean_logarithm, nullif(stddev_pop(logarithm), 0) AS deviation FROM tall GROUP BY feature
), sizes AS (
    SELECT __sqlml_segment AS segment, count(*) AS rows FROM sqlml_segmented GROUP BY segment
)
SELECT segment, feature, avg(value) AS mean, any_value(e.mean) AS mean_of_all,
       -- what is unknown of most of a segment does not tell it
       CASE WHEN count(*) >= any_value(rows) / 2 THEN coalesce((avg(logarithm) - any_value(mean_logarithm)) / any_value(deviation), 0) ELSE 0 END AS z,
       list_position($columns::VARCHAR[], feature) AS place, list_contains($main::VARCHAR[], feature) AS is_main
FROM tall JOIN everyone e USING (feature) JOIN sizes USING (segment)
GROUP BY segment, feature
