-- settlement_classes_figures: counts of one version of the class list.
-- Grain:   one item of one figure. Key: figure, item.
-- Inputs:  counted (the version).
SELECT 'rows' AS figure, '' AS item, count(*) AS n FROM counted
UNION ALL
SELECT 'hop', CAST(hop AS VARCHAR), count(*) FROM counted GROUP BY ALL
UNION ALL
SELECT 'label', lang, count(*) FROM (SELECT unnest(map_keys(labels)) AS lang FROM counted) GROUP BY ALL
