-- sql/catalog/migrations/0002_lifecycle.sql: what a gate compared, what back-tests found, how fast a version scores
ALTER TABLE ml.versions ADD COLUMN rows_per_second DOUBLE;   -- of the forward pass alone, one batch after another
CREATE TABLE ml.gates (version_id VARCHAR NOT NULL, old_version_id VARCHAR NOT NULL, metric VARCHAR NOT NULL, old_value DOUBLE NOT NULL, new_value DOUBLE NOT NULL, is_passed BOOLEAN NOT NULL);
CREATE TABLE ml.backtests (version_id VARCHAR NOT NULL, run_at TIMESTAMP NOT NULL, as_of TIMESTAMP NOT NULL, method VARCHAR NOT NULL, population VARCHAR NOT NULL, metric VARCHAR NOT NULL, value DOUBLE, low DOUBLE, high DOUBLE);
ALTER TABLE ml.training_log ALTER COLUMN stopping_loss DROP NOT NULL;   -- NULL where nothing was held back to stop on
-- curves are of two classes: of another model they are an error, not numbers
CREATE MACRO ml.held_out_of_two(__sqlml_model) AS TABLE
SELECT p.key, p.label, p.score FROM ml.predictions p WHERE p.version_id = (
    SELECT CASE WHEN v.encoder->>'$.target.kind' = 'binary' THEN v.version_id
                ELSE error('Model ''' || __sqlml_model || ''' does not tell two classes apart: it has no such curve. FROM ml.evaluate(''' || __sqlml_model || ''') has its metrics.') END
    FROM ml.versions v WHERE v.version_id = ml.version_of(__sqlml_model));
CREATE OR REPLACE MACRO ml.thresholds(__sqlml_model) AS TABLE
SELECT threshold, (sum(n) OVER (ORDER BY threshold DESC))::BIGINT AS taken, (sum(hits) OVER (ORDER BY threshold DESC))::BIGINT AS true_positives,
       (sum(n) OVER ())::BIGINT AS n, (sum(hits) OVER ())::BIGINT AS positives
FROM (SELECT score AS threshold, count(*) AS n, count_if(label = 1) AS hits FROM ml.held_out_of_two(__sqlml_model) GROUP BY score);
CREATE OR REPLACE MACRO ml.confusion_matrix(__sqlml_model, threshold := 0.5) AS TABLE
SELECT is_positive, predicted_positive, count(*) AS n
FROM (SELECT label = 1 AS is_positive, score >= threshold AS predicted_positive FROM ml.held_out_of_two(__sqlml_model)) GROUP BY ALL ORDER BY ALL;
CREATE OR REPLACE MACRO ml.calibration(__sqlml_model, bins := 10) AS TABLE
SELECT bin, count(*) AS n, avg(score) AS mean_score, avg(label) AS observed_rate
FROM (SELECT label, score, ntile(bins) OVER (ORDER BY score, key) AS bin FROM ml.held_out_of_two(__sqlml_model)) GROUP BY bin ORDER BY bin;
CREATE OR REPLACE MACRO ml.lift(__sqlml_model) AS TABLE
SELECT decile, count(*) AS n, sum(label)::BIGINT AS positives, avg(label) AS rate, avg(label) / any_value(base_rate) AS lift,
       sum(sum(label)) OVER (ORDER BY decile) / sum(sum(label)) OVER () AS gain
FROM (SELECT label, avg(label) OVER () AS base_rate, ntile(10) OVER (ORDER BY score DESC, key) AS decile FROM ml.held_out_of_two(__sqlml_model))
GROUP BY decile ORDER BY decile;
INSERT INTO ml.schema_version VALUES ('sqlml', 2, current_timestamp AT TIME ZONE 'UTC');
