-- sql/functions/rfm.sql: the classic segment from quintiles of recency, frequency and monetary value, each a score from 1 to 5
list_transform([__sqlml_x], lambda x: CASE WHEN x IS NOT NULL THEN
list_transform([{
    'recency': 5 - len(list_filter({recency}::FLOAT[], lambda edge: {recency_days} > edge)),
    'frequency': 1 + len(list_filter({frequency}::FLOAT[], lambda edge: {n_active_days} > edge)),
    'monetary': 1 + len(list_filter({monetary}::FLOAT[], lambda edge: {amount_total} > edge))}],
    lambda s: ({map}::INTEGER[][])[s.recency][{worth}])[1] END)[1]
