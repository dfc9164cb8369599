-- members_figures: counts of one version of the members.
-- Grain:   one item of one figure. Key: figure, item.
-- Inputs:  counted (the version).
SELECT 'rows' AS figure, '' AS item, count(*) AS n FROM counted
UNION ALL
SELECT 'variant', variant, count(*) FROM counted WHERE is_member GROUP BY ALL
