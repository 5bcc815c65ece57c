-- sql/features/calendar.sql: when in the week and in the day (UTC) the customer is active
SELECT customer_id, as_of,
       avg((isodow(event_time) >= 6)::INT)::FLOAT              AS weekend_share,
       avg((isodow(event_time) = 1)::INT)::FLOAT               AS monday_share,
       avg((isodow(event_time) = 5)::INT)::FLOAT               AS friday_share,
       avg((hour(event_time) BETWEEN 6 AND 11)::INT)::FLOAT    AS morning_share,
       avg((hour(event_time) BETWEEN 12 AND 17)::INT)::FLOAT   AS afternoon_share,
       avg((hour(event_time) >= 18)::INT)::FLOAT               AS evening_share
FROM history
GROUP BY customer_id, as_of
