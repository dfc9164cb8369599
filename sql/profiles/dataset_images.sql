-- dataset_images: the pictures of one variant, one side.
-- Grain:   one picture. Key: qid, file.
-- Inputs:  {side}_{table}; {other}_{table}, for settlements that are gone take their pictures along.
SELECT rows_of.qid, rows_of.country_code, one.file AS file, one.property AS property, one.path AS path,
    one.licence AS licence, one.author AS author, there.qid IS NOT NULL AS is_kept
FROM (SELECT qid, country_code, unnest(images) AS one FROM {side}_{table}) AS rows_of
LEFT JOIN {other}_{table} AS there USING (qid)
