-- Pictures with a vector that no image of the shard has. Grain: one row. Inputs: audited, images.
SELECT audited.*
FROM audited
WHERE picture NOT IN (
    SELECT regexp_extract(path, '([^/]+)[.]jpg$', 1) FROM images WHERE status = 'ok' AND path IS NOT NULL
);
