-- images_figures: counts of one version of a shard's files.
-- Grain:   one item of one figure. Key: figure, item.
-- Inputs:  counted (the version).
-- Sizes:   bins that double; of pictures that were had.
SELECT 'rows' AS figure, '' AS item, count(*) AS n FROM counted
UNION ALL
SELECT 'status', status, count(*) FROM counted GROUP BY ALL
UNION ALL
SELECT 'pictures', property, count(*) FROM counted WHERE status = 'ok' GROUP BY ALL
UNION ALL
SELECT 'mime', coalesce(mime, 'none'), count(*) FROM counted WHERE status = 'ok' GROUP BY ALL
UNION ALL
SELECT 'width', CAST(floor(log2(greatest(width_px, 1))) AS INTEGER)::VARCHAR, count(*)
FROM counted
WHERE status = 'ok' AND width_px IS NOT NULL
GROUP BY ALL
UNION ALL
SELECT 'bytes', CAST(floor(log2(greatest(size_bytes, 1))) AS INTEGER)::VARCHAR, count(*)
FROM counted
WHERE status = 'ok' AND size_bytes IS NOT NULL
GROUP BY ALL
