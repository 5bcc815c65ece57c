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
CREATE MACRO ml.feature_importance(__sqlml_model) AS TABLE
SELECT i.feature, i.importance, i.deviation FROM ml.importance i JOIN ml.models m USING (version_id)
WHERE m.model = __sqlml_model ORDER BY i.importance DESC;
CREATE MACRO ml.predict(model, query_text) AS TABLE
FROM query('SELECT __sqlml_q.*, unnest(ml."' || replace(model, '"', '""') || '__predict"(__sqlml_q)) FROM query('''
           || replace(query_text, '''', '''''') || ''') __sqlml_q');
INSERT INTO ml.schema_version VALUES ('sqlml', 1, current_timestamp AT TIME ZONE 'UTC');
