-- sql/reading/iso.sql: dates with the year first; a time with an offset is carried to UTC
list_transform([trim({text})], lambda t: CASE
    WHEN NOT regexp_matches(t, '^\d{4}[-/]\d\d?[-/]\d\d?(\D|$)') THEN NULL
    WHEN regexp_matches(t, '(?i)[ap]m$') THEN try_strptime(replace(t, '/', '-'), ['%Y-%m-%d %I:%M %p', '%Y-%m-%d %I:%M:%S %p'])
    WHEN regexp_matches(t, ':\d\d(\.\d+)? ?(Z|z|UTC|GMT|[-+]\d\d:?(\d\d)?)$')
    THEN timezone('UTC', TRY_CAST(regexp_replace(regexp_replace(t, ' ?(Z|z|UTC|GMT)$', '+00:00'), ' ?([-+]\d\d):?(\d\d)$', '\1:\2') AS TIMESTAMP WITH TIME ZONE))
    ELSE TRY_CAST(t AS TIMESTAMP) END)[1]
