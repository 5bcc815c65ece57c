-- sql/binding/utc.sql: the text of a time as TIMESTAMP in UTC; without an offset it is UTC already (a cast alone would drop the offset)
CASE WHEN regexp_matches({text}, ':\d\d(\.\d+)?\s*[A-Za-z+-]') THEN timezone('UTC', regexp_replace({text}, '\s+([+-])', '\1')::TIMESTAMPTZ)
     ELSE {text}::TIMESTAMP END
