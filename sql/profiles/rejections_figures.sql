-- rejections_figures: counts of one version of a shard's rejections.
-- Grain:   one item of one figure. Key: figure, item.
-- Inputs:  counted (the version).
SELECT 'rows' AS figure, '' AS item, count(*) AS n FROM counted
UNION ALL
SELECT 'reason', reason, count(*) FROM counted GROUP BY ALL
