-- sql/report/moves.sql: who went from which segment of one version to which, the numbers of what each segment became as shares
SELECT from_segment, to_segment, customers, customers / sum(customers) OVER (PARTITION BY from_segment) AS share, since, until
FROM ml.segment_transitions WHERE version_id = $1 ORDER BY from_segment NULLS LAST, to_segment
