-- facts_figures: counts of one version of a shard's facts.
-- Grain:   one item of one figure. Key: figure, item.
-- Inputs:  counted (the version).
SELECT 'rows' AS figure, '' AS item, count(*) AS n FROM counted
UNION ALL
SELECT 'property', CASE WHEN lang IS NULL THEN property ELSE property || ' in ' || lang END, count(*)
FROM counted
GROUP BY ALL
