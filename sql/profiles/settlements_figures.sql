-- settlements_figures: counts of one version of a shard's settlements.
-- Grain:   one item of one figure. Key: figure, item.
-- Inputs:  counted (the version).
SELECT 'rows' AS figure, '' AS item, count(*) AS n FROM counted
UNION ALL
SELECT 'country', coalesce(country_code, 'none'), count(*) FROM counted GROUP BY ALL
UNION ALL
SELECT 'source', country_source, count(*) FROM counted GROUP BY ALL
UNION ALL
SELECT 'class', class_qid, count(*) FROM (SELECT unnest(class_qids) AS class_qid FROM counted) GROUP BY ALL
UNION ALL
SELECT 'articles', lang, count(*) FROM (SELECT unnest(map_keys(sitelinks)) AS lang FROM counted) GROUP BY ALL
UNION ALL
SELECT 'files', property, count(*) FROM (SELECT unnest(images).property AS property FROM counted) GROUP BY ALL
UNION ALL
SELECT 'files_each', CAST(least(len(images), 6) AS VARCHAR), count(*) FROM counted GROUP BY ALL
UNION ALL
SELECT 'latitude', printf('%+03d', TRY_CAST(floor(lat_deg / 15) * 15 AS INTEGER)), count(*) FROM counted GROUP BY ALL
UNION ALL
SELECT 'longitude', printf('%+04d', TRY_CAST(floor(lon_deg / 30) * 30 AS INTEGER)), count(*) FROM counted GROUP BY ALL
UNION ALL
SELECT 'population', CAST(floor(2 * log10(greatest(population, 1))) AS VARCHAR), count(*)
FROM counted
WHERE population IS NOT NULL
GROUP BY ALL
