-- sql/catalog/exported.sql: EXPORT MODEL: the file, and how many rows of inputs, or histories, of single customers are in it
SELECT $1 AS model, $2 AS file, $3::BIGINT AS bytes, $4::BIGINT AS rows,
       CASE WHEN $4 = 0 THEN 'No row of inputs is in the file; explanations start from an average row.'
            ELSE format('{:,} rows of single customers, or of the training query, are in the file, without their ids. OPTIONS (rows = false) leaves them out.', $4::BIGINT) END AS note
