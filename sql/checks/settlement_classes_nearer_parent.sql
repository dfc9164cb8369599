-- Classes beyond hop 0 that no class of the list one hop nearer is a parent of. Grain: one class.
-- Inputs: audited.
WITH edges AS (
    SELECT class_qid, hop, unnest(parent_qids) AS parent_qid
    FROM audited
),
reached AS (
    SELECT edges.class_qid
    FROM edges
    JOIN audited AS parents ON parents.class_qid = edges.parent_qid AND parents.hop = edges.hop - 1
)
SELECT audited.*
FROM audited
WHERE hop > 0 AND class_qid NOT IN (SELECT class_qid FROM reached);
