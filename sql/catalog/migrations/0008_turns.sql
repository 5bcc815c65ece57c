-- sql/catalog/migrations/0008_turns.sql: statements that change models take turns, and promotions are in their order, whatever the clock says
CREATE TABLE ml.turn (number BIGINT NOT NULL);   -- of the last statement that changed models
INSERT INTO ml.turn SELECT count(*) FROM ml.promotions;
CREATE TABLE ml.promotions_in_order (model VARCHAR NOT NULL, version_id VARCHAR NOT NULL, promoted_at TIMESTAMP NOT NULL, reason VARCHAR NOT NULL, turn BIGINT NOT NULL);
INSERT INTO ml.promotions_in_order SELECT model, version_id, promoted_at, reason, row_number() OVER (ORDER BY promoted_at, rowid) FROM ml.promotions;
DROP TABLE ml.promotions;
ALTER TABLE ml.promotions_in_order RENAME TO promotions;
-- A failing cast, not error(), says what is wrong: an expression with error() counts as one with side effects, whose alias DuckDB lets nobody use.
-- true; an error where a setting of the session gives another meaning to the SQL that a model was trained with
CREATE MACRO ml.settings_fit() AS
CASE WHEN current_setting('default_order') ILIKE 'asc%' AND current_setting('default_collation') = '' AND current_setting('Calendar') = 'gregorian' THEN true
     ELSE 'Models answer under the settings that they were trained with: RESET default_order; RESET default_collation; RESET Calendar.'::BOOLEAN END;
CREATE OR REPLACE MACRO ml.version_of(__sqlml_model) AS (
    SELECT CASE WHEN count(*) = 0 THEN error('There is no model named ''' || __sqlml_model || '''. SHOW MODELS lists them.')
                ELSE first(version_id ORDER BY model = __sqlml_model DESC) END
    FROM ml.models WHERE lower(model) = lower(__sqlml_model) AND ml.settings_fit());
-- Stored features put every time of the behaviour tables into it: a column that has become TIMESTAMPTZ, and would follow the time zone of the session, is refused.
CREATE MACRO ml.in_utc(time_of_the_behavior_tables TIMESTAMP) AS CASE WHEN ml.settings_fit() THEN time_of_the_behavior_tables END;
-- an attribute itself; an error where its type is of another kind than at the training
CREATE MACRO ml.kind_of_type(type) AS
CASE WHEN regexp_matches(type, '^(U?(TINY|SMALL|BIG|HUGE)?INT\b|U?INTEGER|DECIMAL|FLOAT|DOUBLE)') THEN 'number'
     WHEN type = 'VARCHAR' OR type LIKE 'ENUM%' THEN 'text' WHEN type LIKE 'TIMESTAMP%' THEN 'TIMESTAMP' ELSE type END;
CREATE MACRO ml.of_type(attribute, name, type) AS
CASE WHEN CASE WHEN ml.kind_of_type(typeof(attribute)) = ml.kind_of_type(type) THEN true
               ELSE format('{} of behavior.customers was {} when the model was trained, and is {} now: cast it in the view, or train again (ALTER MODEL ... RETRAIN).', name, type, typeof(attribute))::BOOLEAN END
     THEN attribute END;
-- `{model}_at` asks for the type of a column of its own name. A column of the relation hides the struct that goes by that name
-- in the macro: any other type than that of the struct means that the relation has such a column.
CREATE MACRO ml.refuse_own_column(__sqlml_type) AS CASE WHEN __sqlml_type NOT LIKE 'STRUCT(%__sqlml%' THEN
    error('The relation has a column of the name that the answers get, that of the function without _at: leave it out (SELECT * EXCLUDE (...)), or rename it.') END;
INSERT INTO ml.schema_version VALUES ('sqlml', 8, current_timestamp AT TIME ZONE 'UTC');
