-- candidates_figures: counts of one version of the candidates.
-- Grain:   one item of one figure. Key: figure, item.
-- Inputs:  counted (the version).
SELECT 'rows' AS figure, '' AS item, count(*) AS n FROM counted
UNION ALL
SELECT 'shard', shard, count(*) FROM counted GROUP BY ALL
UNION ALL
SELECT 'class', class_qid, count(*) FROM (SELECT unnest(class_qids) AS class_qid FROM counted) GROUP BY ALL
