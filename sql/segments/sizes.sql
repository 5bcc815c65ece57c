-- sql/segments/sizes.sql: how many customers each segment has, and what they have spent
SELECT __sqlml_segment AS segment, count(*) AS customers, sum(__sqlml_worth) AS revenue
FROM sqlml_segmented GROUP BY segment ORDER BY segment
