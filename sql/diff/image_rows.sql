-- image_rows: the published pictures of one side of a diff, per variant and of the release as a whole (variant '').
-- Grain:  one picture of a settlement in one variant. Key: variant, qid, file.
-- Inputs: rows (the four variants, with their name in `variant`), attribution (who is withheld, under which licence).
WITH pictures AS (
    SELECT variant, qid, unnest(images) AS one
    FROM rows
),

credited AS (
    SELECT
        pictures.variant, pictures.qid, pictures.one.file AS file, pictures.one.name AS name,
        pictures.one.file_sha1 AS file_sha1, pictures.one.path AS path,
        coalesce(attribution.author, pictures.one.author) AS author,
        attribution.credit, coalesce(attribution.licence_id, 'unknown') AS licence, attribution.licence_url,
        attribution.withheld
    FROM pictures
    LEFT JOIN attribution
        ON attribution.kind = 'image' AND attribution.qid = pictures.qid AND attribution.name = pictures.one.name
)

SELECT variant, qid, file, name, file_sha1, path, author, credit, licence, licence_url, withheld
FROM credited
UNION ALL
SELECT
    '', qid, file, min(name), min(file_sha1), min(path), min(author), min(credit), min(licence), min(licence_url),
    min(withheld)
FROM credited
GROUP BY qid, file;
