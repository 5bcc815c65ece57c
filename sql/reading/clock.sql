-- sql/reading/clock.sql: times of day, in hours
CASE WHEN regexp_full_match({text}, '\s*\d\d?:\d\d(:\d\d(\.\d+)?)?\s*') THEN epoch(TRY_CAST({text} AS TIME)) / 3600 END
