-- sql/catalog/migrations/0001_first.sql: schema ml as of the first release
CREATE SCHEMA IF NOT EXISTS ml;
CREATE TABLE ml.schema_version (product VARCHAR NOT NULL, version INTEGER NOT NULL, applied_at TIMESTAMP NOT NULL);
CREATE TABLE ml.versions (
    version_id    VARCHAR PRIMARY KEY,      -- immutable, never used again; part of the names of its functions
    model         VARCHAR NOT NULL,
    version       INTEGER NOT NULL,
    task          VARCHAR NOT NULL,
    method        VARCHAR NOT NULL,
    created_at    TIMESTAMP NOT NULL,       -- UTC
    trained_until TIMESTAMP,                -- the last moment the training knew; this and the next three: behaviour models
    horizon       INTERVAL,
    label_window  INTERVAL,                 -- shorter than the horizon where data were
    lookback      INTERVAL,                 -- the shortest history of any cut-off
    tested        VARCHAR NOT NULL,         -- how rows were held out: 'in time', 'by customers', 'random' ...
    options       JSON NOT NULL,
    key_type      VARCHAR,
    query         VARCHAR,                  -- query models: the rows that were learnt from
    encoder       JSON NOT NULL,            -- columns: name, SQL expression, edges or levels; what the label is
    input_sql     VARCHAR NOT NULL,         -- the composed SQL that training and scoring share
    packages      JSON NOT NULL,
    fingerprint   JSON NOT NULL,            -- rows, customers and time range of behavior.events
    seed          BIGINT NOT NULL,
    seconds       DOUBLE NOT NULL,
    UNIQUE (model, version));
CREATE TABLE ml.models (model VARCHAR PRIMARY KEY, version_id VARCHAR NOT NULL, created_at TIMESTAMP NOT NULL);
CREATE TABLE ml.weights (version_id VARCHAR PRIMARY KEY, safetensors BLOB NOT NULL);
CREATE TABLE ml.functions (version_id VARCHAR NOT NULL, kind VARCHAR NOT NULL, suffix VARCHAR NOT NULL, is_table BOOLEAN NOT NULL);   -- of the model's name
CREATE TABLE ml.macros (version_id VARCHAR NOT NULL, place INTEGER NOT NULL, statement VARCHAR NOT NULL);   -- what makes the functions, names left open
CREATE TABLE ml.metrics (version_id VARCHAR NOT NULL, method VARCHAR NOT NULL, population VARCHAR NOT NULL, metric VARCHAR NOT NULL, value DOUBLE, low DOUBLE, high DOUBLE);
CREATE TABLE ml.cutoffs (version_id VARCHAR NOT NULL, purpose VARCHAR NOT NULL, as_of TIMESTAMP NOT NULL, n_rows BIGINT NOT NULL, base_rate DOUBLE NOT NULL);
CREATE TABLE ml.features (version_id VARCHAR NOT NULL, name VARCHAR NOT NULL, is_used BOOLEAN NOT NULL, detail VARCHAR NOT NULL);
CREATE TABLE ml.warnings (version_id VARCHAR NOT NULL, warning VARCHAR NOT NULL);
CREATE TABLE ml.predictions (version_id VARCHAR NOT NULL, key VARCHAR, as_of TIMESTAMP, label DOUBLE NOT NULL, score DOUBLE NOT NULL, split VARCHAR NOT NULL);
CREATE TABLE ml.importance (version_id VARCHAR NOT NULL, feature VARCHAR NOT NULL, importance DOUBLE NOT NULL, deviation DOUBLE NOT NULL);
CREATE TABLE ml.trials (version_id VARCHAR NOT NULL, trial INTEGER NOT NULL, options JSON NOT NULL, loss DOUBLE NOT NULL, seconds DOUBLE NOT NULL, is_chosen BOOLEAN NOT NULL);
CREATE TABLE ml.training_log (version_id VARCHAR NOT NULL, epoch INTEGER NOT NULL, training_loss DOUBLE NOT NULL, stopping_loss DOUBLE NOT NULL);
CREATE TABLE ml.promotions (model VARCHAR NOT NULL, version_id VARCHAR NOT NULL, promoted_at TIMESTAMP NOT NULL, reason VARCHAR NOT NULL);   -- created, promoted, rolled back
CREATE MACRO ml.utc(t) AS
CASE typeof(t) WHEN 'TIMESTAMP WITH TIME ZONE' THEN timezone('UTC', t::TIMESTAMPTZ) ELSE t::TIMESTAMP END;
CREATE MACRO ml.coverage(share) AS
CASE WHEN share > 0 AND share < 1 THEN share ELSE error('coverage must lie between 0 and 1, e.g. coverage := 0.9') END;
CREATE MACRO ml.version_of(__sqlml_model) AS (
    SELECT CASE WHEN count(*) = 0 THEN error('There is no model named ''' || __sqlml_model || '''. SHOW MODELS lists them.')
                ELSE first(version_id ORDER BY model = __sqlml_model DESC) END
    FROM ml.models WHERE lower(model) = lower(__sqlml_model));
CREATE MACRO ml.held_out(__sqlml_model) AS TABLE
SELECT p.key, p.as_of, p.label, p.score FROM ml.predictions p WHERE p.version_id = ml.version_of(__sqlml_model);
CREATE MACRO ml.evaluate(__sqlml_model) AS TABLE
SELECT e.method, e.population, e.metric, e.value, e.low, e.high FROM ml.metrics e WHERE e.version_id = ml.version_of(__sqlml_model) ORDER BY e.population, e.metric, e.method;
CREATE MACRO ml.training_info(__sqlml_model) AS TABLE
SELECT l.epoch, l.training_loss, l.stopping_loss FROM ml.training_log l WHERE l.version_id = ml.version_of(__sqlml_model) ORDER BY l.epoch;
CREATE MACRO ml.trial_info(__sqlml_model) AS TABLE
SELECT t.trial, t.options, t.loss, t.seconds, t.is_chosen FROM ml.trials t WHERE t.version_id = ml.version_of(__sqlml_model) ORDER BY t.loss;
CREATE MACRO ml.feature_info(__sqlml_model) AS TABLE
SELECT f.name, f.is_used, f.detail FROM ml.features f WHERE f.version_id = ml.version_of(__sqlml_model);
-- every threshold that changes anything, from the highest score down: who would be taken for positive, and how many of them are
CREATE MACRO ml.thresholds(__sqlml_model) AS TABLE
SELECT threshold, (sum(n) OVER (ORDER BY threshold DESC))::BIGINT AS taken, (sum(hits) OVER (ORDER BY threshold DESC))::BIGINT AS true_positives,
       (sum(n) OVER ())::BIGINT AS n, (sum(hits) OVER ())::BIGINT AS positives
FROM (SELECT score AS threshold, count(*) AS n, count_if(label = 1) AS hits FROM ml.held_out(__sqlml_model) GROUP BY score);
CREATE MACRO ml.roc_curve(__sqlml_model) AS TABLE
SELECT threshold, true_positives / positives AS recall, (taken - true_positives) / (n - positives) AS false_positive_rate
FROM ml.thresholds(__sqlml_model) ORDER BY threshold DESC;
CREATE MACRO ml.pr_curve(__sqlml_model) AS TABLE
SELECT threshold, true_positives / taken AS precision, true_positives / positives AS recall FROM ml.thresholds(__sqlml_model) ORDER BY threshold DESC;
CREATE MACRO ml.confusion_matrix(__sqlml_model, threshold := 0.5) AS TABLE
SELECT is_positive, predicted_positive, count(*) AS n
FROM (SELECT label = 1 AS is_positive, score >= threshold AS predicted_positive FROM ml.held_out(__sqlml_model)) GROUP BY ALL ORDER BY ALL;
CREATE MACRO ml.calibration(__sqlml_model, bins := 10) AS TABLE
SELECT bin, count(*) AS n, avg(score) AS mean_score, avg(label) AS observed_rate
FROM (SELECT label, score, ntile(bins) OVER (ORDER BY score, key) AS bin FROM ml.held_out(__sqlml_model)) GROUP BY bin ORDER BY bin;
CREATE MACRO ml.lift(__sqlml_model) AS TABLE
SELECT decile, count(*) AS n, sum(label)::BIGINT AS positives, avg(label) AS rate, avg(label) / any_value(base_rate) AS lift,
       sum(sum(label)) OVER (ORDER BY decile) / sum(sum(label)) OVER () AS gain
FROM (SELECT label, avg(label) OVER () AS base_rate, ntile(10) OVER (ORDER BY score DESC, key) AS decile FROM ml.held_out(__sqlml_model))
GROUP BY decile ORDER BY decile;
-- what contacting everyone from a score on would earn: a value for each positive reached, a cost for each contact
CREATE MACRO ml.profit_curve(__sqlml_model, value_kept, cost_contact) AS TABLE
SELECT threshold, taken AS contacted, taken / n AS share, true_positives * value_kept - taken * cost_contact AS profit
FROM ml.thresholds(__sqlml_model) ORDER BY threshold DESC;
CREATE MACRO ml.feature_importance(__sqlml_model) AS TABLE
SELECT i.feature, i.importance, i.deviation FROM ml.importance i WHERE i.version_id = ml.version_of(__sqlml_model) ORDER BY i.importance DESC;
CREATE MACRO ml.predict(model, query_text) AS TABLE
FROM query('SELECT __sqlml_q.*, unnest(ml."' || replace(model, '"', '""') || '__predict"(__sqlml_q)) FROM query('''
           || replace(query_text, '''', '''''') || ''') __sqlml_q');
INSERT INTO ml.schema_version VALUES ('sqlml', 1, current_timestamp AT TIME ZONE 'UTC');
