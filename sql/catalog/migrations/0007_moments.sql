-- sql/catalog/migrations/0007_moments.sql: a moment that the events do not reach is an error
CREATE MACRO ml.in_reach(__sqlml_t, newest, silence) AS
CASE WHEN __sqlml_t::DATE > newest::DATE + silence THEN error(
    format('The moment {} is too late: the newest event is of {}, and this log was not silent for more than {} day(s) before. ', __sqlml_t, newest, silence) ||
    format('Load the events since then, or ask for a moment up to {}. Without a moment, the newest event stands for now.', newest::DATE + silence)) ELSE true END;
INSERT INTO ml.schema_version VALUES ('sqlml', 7, current_timestamp AT TIME ZONE 'UTC');
