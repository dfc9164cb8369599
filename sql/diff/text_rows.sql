-- text_rows: the lead texts of one side of a diff, by hash, per variant and of the release as a whole (variant '').
-- Grain:  one text of a settlement in one variant. Key: variant, qid, lang.
-- Inputs: rows (the four variants, with their name in `variant`).
WITH texts AS (
    SELECT variant, qid, unnest(summaries) AS one
    FROM rows
),

hashed AS (
    SELECT variant, qid, one.lang AS lang, md5_number(one.text) AS hash, one.revision AS revision
    FROM texts
)

SELECT variant, qid, lang, hash, revision
FROM hashed
UNION ALL
SELECT '', qid, lang, min(hash), min(revision)
FROM hashed
GROUP BY qid, lang;
