-- sql/rows/tokens.sql: the words of a text and its pairs of neighbouring words
list_transform([regexp_extract_all(lower({text}), '[\p{L}\p{N}]+')],
               lambda words: words || list_transform(list_zip(words[:-2], words[2:]), lambda pair: pair[1] || ' ' || pair[2]))[1]
