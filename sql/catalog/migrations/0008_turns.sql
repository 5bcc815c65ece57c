-- sql/catalog/migrations/0008_turns.sql: statements that change models take turns, and promotions are in their order, whatever the clock says
CREATE TABLE ml.turn (number BIGINT NOT NULL);   -- of the last statement that changed models
INSERT INTO ml.turn SELECT count(*) FROM ml.promotions;
CREATE OR REPLACE TABLE ml.promotions AS
SELECT model, version_id, promoted_at, reason, row_number() OVER (ORDER BY promoted_at, rowid) AS turn FROM ml.promotions;
-- stands around every time of the behaviour tables: one that has become TIMESTAMPTZ would follow the zone of whoever asks
CREATE MACRO ml.in_utc(time_of_the_behavior_tables TIMESTAMP) AS time_of_the_behavior_tables;
-- the type is that of the relation's own column where it has one of that name, else that of a struct that stands for none
CREATE MACRO ml.new_column(__sqlml_type) AS CASE WHEN __sqlml_type NOT LIKE 'STRUCT(%__sqlml%' THEN
    error('The relation has a column of the name that the answers get, that of the function without _at: leave it out (SELECT * EXCLUDE (...)), or rename it.') END;
INSERT INTO ml.schema_version VALUES ('sqlml', 8, current_timestamp AT TIME ZONE 'UTC');
