-- sql/catalog/migrations/0007_moments.sql: a moment that the events do not reach is an error; metrics for people to read
CREATE MACRO ml.in_reach(__sqlml_t, newest, silence) AS
CASE WHEN __sqlml_t::DATE > newest::DATE + silence THEN error(
    format('The moment {} is too late: the newest event is of {}, and this log was not silent for more than {} day(s) before. ', __sqlml_t, newest, silence) ||
    format('Load the events since then, or ask for a moment up to {}. Without a moment, the newest event stands for now.', newest::DATE + silence)) ELSE true END;
-- of the promoted versions, the names first, four digits of each number; ml.metrics has all of them
CREATE MACRO ml.rounded(x) AS CASE WHEN abs(x) < 1e-9 THEN 0 ELSE format('{:.4g}', x)::DOUBLE END;
CREATE VIEW ml.scoreboard AS
SELECT v.model, s.metric, s.population, s.method, s.method = v.method AS is_model, ml.rounded(s.value) AS value, ml.rounded(s.low) AS low, ml.rounded(s.high) AS high
FROM ml.models JOIN ml.versions v USING (version_id) JOIN ml.metrics s USING (version_id)
ORDER BY v.model, s.metric, s.population, s.method <> v.method, s.method;
INSERT INTO ml.schema_version VALUES ('sqlml', 7, current_timestamp AT TIME ZONE 'UTC');
