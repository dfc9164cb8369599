-- text_changes: what became of each lead text.
-- Grain:  one text of a settlement in one variant, on either side. Key: variant, qid, lang.
-- Inputs: text_before, text_after.
SELECT
    coalesce(now.variant, past.variant) AS variant, coalesce(now.qid, past.qid) AS qid,
    coalesce(now.lang, past.lang) AS lang,
    CASE
        WHEN past.qid IS NULL THEN 'new'
        WHEN now.qid IS NULL THEN 'gone'
        WHEN past.hash <> now.hash THEN 'changed'
        ELSE 'same'
    END AS change,
    past.revision AS revision_before, now.revision AS revision_after
FROM text_before AS past
FULL JOIN text_after AS now ON now.variant = past.variant AND now.qid = past.qid AND now.lang = past.lang;
