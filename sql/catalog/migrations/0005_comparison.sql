-- sql/catalog/migrations/0005_comparison.sql: how a version fares beside simpler models, and which columns tell the label alone
ALTER TABLE ml.versions ADD COLUMN comparison VARCHAR;
ALTER TABLE ml.versions ADD COLUMN leaks JSON;   -- of each column looked at: how well it tells the label on its own
INSERT INTO ml.schema_version VALUES ('sqlml', 5, current_timestamp AT TIME ZONE 'UTC');
