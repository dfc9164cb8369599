-- rows_figures: the count of one version of a table of which nothing else is counted.
-- Grain:   one figure. Key: figure, item.
-- Inputs:  counted (the version).
SELECT 'rows' AS figure, '' AS item, count(*) AS n FROM counted
