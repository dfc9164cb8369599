-- Settlements none of whose classes is in the class list. Grain: one settlement.
-- Inputs: audited, settlement_classes.
WITH listed AS (
    SELECT qid
    FROM (SELECT qid, unnest(class_qids) AS class_qid FROM audited)
    WHERE class_qid IN (SELECT class_qid FROM settlement_classes)
)
SELECT audited.*
FROM audited
WHERE qid NOT IN (SELECT qid FROM listed WHERE qid IS NOT NULL);
