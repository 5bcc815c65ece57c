-- sql/catalog/migrations/0006_utc.sql: a moment written as text keeps its offset
CREATE OR REPLACE MACRO ml.utc(t) AS
CASE typeof(t) WHEN 'TIMESTAMP WITH TIME ZONE' THEN timezone('UTC', t::TIMESTAMPTZ)
               WHEN 'VARCHAR' THEN CASE WHEN regexp_matches(t::VARCHAR, ':\d\d(\.\d+)?\s*[A-Za-z+-]')
                                        THEN timezone('UTC', regexp_replace(t::VARCHAR, '\s+([+-])', '\1')::TIMESTAMPTZ)
                                        ELSE t::VARCHAR::TIMESTAMP END
               ELSE t::TIMESTAMP END;
INSERT INTO ml.schema_version VALUES ('sqlml', 6, current_timestamp AT TIME ZONE 'UTC');
