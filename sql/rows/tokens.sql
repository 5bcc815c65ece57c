-- sql/rows/tokens.sql: the words of a text and its pairs of neighbouring words
list_concat(regexp_extract_all(lower({text}), '[\p{L}\p{N}]+'),
            list_transform(list_zip(regexp_extract_all(lower({text}), '[\p{L}\p{N}]+')[:-2], regexp_extract_all(lower({text}), '[\p{L}\p{N}]+')[2:]),
                           lambda pair: pair[1] || ' ' || pair[2]))
