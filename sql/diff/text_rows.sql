-- text_rows: the lead texts of one side of a diff, by hash, per variant and of the release as a whole (variant '').
-- Grain:  one text of a settlement in one variant. Key: variant, qid, lang.
-- Inputs: rows (the four variants, with their name in `variant`).
WITH hashed AS MATERIALIZED (
    -- Hashed before they are taken apart, so that no text is ever stored.
    SELECT
        variant, qid,
        unnest(list_transform(
            summaries, lambda one: {'lang': one.lang, 'hash': md5_number(one.text), 'revision': one.revision}
        )) AS one
    FROM rows
)

SELECT variant, qid, one.lang AS lang, one.hash AS hash, one.revision AS revision
FROM hashed
UNION ALL
SELECT '', qid, one.lang, min(one.hash), min(one.revision)
FROM hashed
GROUP BY qid, one.lang;
