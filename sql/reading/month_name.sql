-- sql/reading/month_name.sql: dates with the name of the month
CASE WHEN regexp_matches({text}, '(?i)(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)') THEN
    try_strptime(regexp_replace(trim({text}), '[-/,. ]+', ' ', 'g'), ['%d %b %Y', '%b %d %Y', '%d %B %Y', '%B %d %Y', '%d %b %y',
        '%d %b %Y %H:%M', '%b %d %Y %H:%M', '%d %B %Y %H:%M', '%B %d %Y %H:%M', '%d %b %Y %H:%M:%S', '%b %d %Y %H:%M:%S']) END
