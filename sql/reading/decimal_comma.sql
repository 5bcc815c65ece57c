-- sql/reading/decimal_comma.sql: numbers with a decimal comma
CASE WHEN regexp_full_match({text}, '\s*[-+(\x{2212}]?\s*({currency})?\s*[-+\x{2212}]?((0|[1-9]\d{0,14}|[1-9]\d{0,2}([. ''\x{a0}\x{202f}]\d{3})+)(,\d*)?|,\d+)\s*({currency}|%)?\s*[-)]?\s*')
     THEN TRY_CAST(replace(regexp_replace(regexp_extract(regexp_replace({text}, '{currency}', ''), '\d[\d. ''\x{a0}\x{202f}]*(,\d*)?|,\d+'), '[. ''\x{a0}\x{202f}]', '', 'g'), ',', '.') AS DOUBLE)
          * CASE WHEN regexp_matches({text}, '^[^\d]*[-(\x{2212}]|\d\s*({currency})?\s*-\s*$') THEN -1 ELSE 1 END END
