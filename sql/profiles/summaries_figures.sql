-- summaries_figures: counts of one version of the lead texts of a shard in one language.
-- Grain:   one item of one figure. Key: figure, item.
-- Inputs:  counted (the version).
-- Lengths: bins that double, from 25 characters on, per language.
SELECT 'rows' AS figure, '' AS item, count(*) AS n FROM counted
UNION ALL
SELECT 'status', status, count(*) FROM counted GROUP BY ALL
UNION ALL
SELECT 'texts', lang, count(*) FROM counted WHERE status = 'ok' GROUP BY ALL
UNION ALL
SELECT 'length', lang || ':' || CAST(floor(log2(greatest(length(text), 25) / 25)) AS INTEGER), count(*)
FROM counted
WHERE status = 'ok'
GROUP BY ALL
