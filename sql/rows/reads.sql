-- sql/rows/reads.sql: of the text of one column that is no blank: how much there is, what is seen in it, and how much of it each form of sql/reading reads
WITH written AS (
    SELECT {text} AS v FROM {table}
    WHERE NOT regexp_full_match(lower({text}), '\s*(-+|\.+|\?|#?n/?a|nan|null|none|nil|unknown|missing)?\s*')
    {limit}
), reads AS (
    SELECT v, {forms} FROM written
)
SELECT count(v) AS written, count(DISTINCT v) AS distinct_values,
       count_if(regexp_full_match(v, '\s*0\d+\s*')) AS codes, count_if(regexp_full_match(v, '\s*[-+]?\d+\s*')) AS whole,
       count_if(contains(v, '%')) AS percents, list(DISTINCT regexp_extract(v, '{currency}')) FILTER (regexp_matches(v, '{currency}')) AS currencies,
       any_value(v) FILTER (number <> decimal_comma) AS either_number, any_value(v) FILTER (day_first <> month_first) AS either_date,
       count(DISTINCT date_trunc('month', day_first)) AS months_day_first, count(DISTINCT date_trunc('month', month_first)) AS months_month_first,
       {counts}
FROM reads
