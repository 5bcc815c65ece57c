-- sql/recommend/candidates.sql: the items that may be recommended, handed over once a statement
(SELECT {udf_candidates}(list({item}), 0) FROM behavior.items WHERE ({condition}
))
