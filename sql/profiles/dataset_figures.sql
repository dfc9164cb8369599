-- dataset_figures: counts of one version of a variant's dataset.
-- Grain:   one item of one figure. Key: figure, item.
-- Inputs:  counted (the version).
SELECT 'rows' AS figure, '' AS item, count(*) AS n FROM counted
UNION ALL
SELECT 'country', coalesce(country_code, 'none'), count(*) FROM counted GROUP BY ALL
UNION ALL
SELECT 'split', split, count(*) FROM counted GROUP BY ALL
UNION ALL
SELECT 'texts', lang, count(*) FROM (SELECT unnest(summaries).lang AS lang FROM counted) GROUP BY ALL
UNION ALL
SELECT 'pictures', '', sum(len(images)) FROM counted
UNION ALL
SELECT 'length', one.lang || ':' || CAST(floor(log2(greatest(length(one.text), 25) / 25)) AS INTEGER), count(*)
FROM (SELECT unnest(summaries) AS one FROM counted)
GROUP BY ALL
