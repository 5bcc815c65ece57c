-- sql/metrics/ranking.sql: of `predictions` (part, label: how many items came, score: their ranks, best first, weight) how high they stood
SELECT part,
       sum(weight * (score[1] <= 10)::INT) / sum(weight)                                                    AS hit_rate_10,
       sum(weight * list_sum(list_transform(score, lambda r: CASE WHEN r <= 10 THEN 1 / log2(r + 1) ELSE 0 END))
           / list_sum(list_transform(range(1, least(label, 10)::BIGINT + 1), lambda r: 1 / log2(r + 1)))) / sum(weight) AS ndcg_10,
       sum(weight * CASE WHEN score[1] <= 10 THEN 1 / score[1] ELSE 0 END) / sum(weight)                    AS mrr_10,
       sum(weight * len(list_filter(score, lambda r: r <= 10)) / least(label, 10)) / sum(weight)            AS recall_10,
       sum(weight * CASE WHEN score[1] <= 20 THEN 1 / score[1] ELSE 0 END) / sum(weight)                    AS mrr_20,
       sum(weight * len(list_filter(score, lambda r: r <= 20)) / least(label, 20)) / sum(weight)            AS recall_20,
       sum(weight)                                                                                          AS n_rows
FROM predictions GROUP BY part
