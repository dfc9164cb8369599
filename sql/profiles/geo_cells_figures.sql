-- geo_cells_figures: counts of one version of the cells.
-- Grain:   one item of one figure. Key: figure, item.
-- Inputs:  counted (the version).
SELECT 'rows' AS figure, '' AS item, count(*) AS n FROM counted
UNION ALL
SELECT 'variant', variant, count(*) FROM counted GROUP BY ALL
UNION ALL
SELECT 'level', variant || ':' || level, count(*) FROM counted GROUP BY ALL
