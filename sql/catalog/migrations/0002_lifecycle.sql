-- sql/catalog/migrations/0002_lifecycle.sql: what a gate compared, what back-tests found, how fast a version scores
ALTER TABLE ml.versions ADD COLUMN rows_per_second DOUBLE;   -- of the forward pass alone, one batch after another
CREATE TABLE ml.gates (version_id VARCHAR NOT NULL, old_version_id VARCHAR NOT NULL, metric VARCHAR NOT NULL, old_value DOUBLE NOT NULL, new_value DOUBLE NOT NULL, is_passed BOOLEAN NOT NULL);
CREATE TABLE ml.backtests (version_id VARCHAR NOT NULL, run_at TIMESTAMP NOT NULL, as_of TIMESTAMP NOT NULL, method VARCHAR NOT NULL, population VARCHAR NOT NULL, metric VARCHAR NOT NULL, value DOUBLE, low DOUBLE, high DOUBLE);
INSERT INTO ml.schema_version VALUES ('sqlml', 2, current_timestamp AT TIME ZONE 'UTC');
