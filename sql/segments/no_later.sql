-- sql/segments/no_later.sql: the tables that a comparison leaves, where nothing is known of what came later
CREATE OR REPLACE TEMP TABLE sqlml_heldout (key VARCHAR, as_of TIMESTAMP, label STRUCT(spend DOUBLE), score DOUBLE, method VARCHAR);
CREATE OR REPLACE TEMP TABLE sqlml_metrics (method VARCHAR, population VARCHAR, metric VARCHAR, value DOUBLE, low DOUBLE, high DOUBLE)
