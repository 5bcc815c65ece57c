-- sql/rows/newest.sql: the moment of `placed` after which the newest rows lie, as near to the fraction as equal moments allow
SELECT arg_min(moment, abs(later - {fraction}))
FROM (SELECT {time} AS moment, 1 - cume_dist() OVER (ORDER BY {time}) AS later FROM placed)
WHERE later > 0
