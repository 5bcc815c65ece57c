-- sql/features/mix.sql: how often and how recently each type of event happened          needs: event_type
SELECT customer_id, as_of,
       map(list(event_type), list(n))    AS events_by_type,
       map(list(event_type), list(days)) AS recency_by_type,
       count(*)::FLOAT                   AS n_event_types
FROM (SELECT customer_id, as_of, event_type::VARCHAR AS event_type,
             count(*)::FLOAT                                          AS n,
             ((epoch(as_of) - epoch(max(event_time))) / 86400)::FLOAT AS days
      FROM history
      WHERE event_type IS NOT NULL
      GROUP BY customer_id, as_of, event_type)
GROUP BY customer_id, as_of
