-- attribution: the texts and pictures of all variants of a release, each once, with what is known of their rights.
-- Grain:   one lead text or one picture of a settlement. Key: kind, qid, name. Not stored: `attribution` is made of it.
-- Inputs:  mlm, mlm_v2, mlm_irle, mlm_irle_gr; files (qid, file, picture_sha256, width_px, height_px,
--          deletion_reason: of the pinned versions of `images`).
WITH published AS (
    SELECT qid, summaries, images FROM mlm
    UNION ALL SELECT qid, summaries, images FROM mlm_v2
    UNION ALL SELECT qid, summaries, images FROM mlm_irle
    UNION ALL SELECT qid, summaries, images FROM mlm_irle_gr
),
texts AS (
    SELECT DISTINCT qid, one.lang AS lang, one.title AS title, one.revision AS revision, one.licence AS licence
    FROM (SELECT qid, unnest(summaries) AS one FROM published)
),
pictures AS (
    SELECT DISTINCT
        qid, one.name AS name, one.file AS file, one.file_sha1 AS file_sha1, one.path AS path,
        one.licence AS licence, one.licence_url AS licence_url, one.author AS author, one.credit AS credit
    FROM (SELECT qid, unnest(images) AS one FROM published)
)
SELECT
    'text' AS kind, qid, lang || '_wiki' AS name, title, lang, NULL AS file, NULL AS file_sha1, revision, licence,
    NULL AS licence_url, NULL AS author, NULL AS credit, NULL AS path, NULL AS picture_sha256, NULL AS width_px,
    NULL AS height_px, NULL AS deletion_reason
FROM texts
UNION ALL BY NAME
SELECT
    'image' AS kind, pictures.qid, pictures.name, pictures.file AS title, NULL AS lang, pictures.file,
    pictures.file_sha1, NULL AS revision, pictures.licence, pictures.licence_url, pictures.author, pictures.credit,
    pictures.path, files.picture_sha256, files.width_px, files.height_px, files.deletion_reason
FROM pictures
LEFT JOIN files ON files.qid = pictures.qid AND files.file = pictures.file;
