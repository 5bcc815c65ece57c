-- sql/reading/month_first.sql: dates with the month first
regexp_replace(regexp_replace(regexp_replace({text},
    '^\s*(\d\d?)[-/.](\d\d?)[-/.](\d{4})(\D|$)', '\3-\1-\2\4'),
    '^\s*(\d\d?)[-/.](\d\d?)[-/.]([7-9]\d)(\D|$)', '19\3-\1-\2\4'),
    '^\s*(\d\d?)[-/.](\d\d?)[-/.]([0-6]\d)(\D|$)', '20\3-\1-\2\4')
