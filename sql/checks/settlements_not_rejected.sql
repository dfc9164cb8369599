-- Settlements that are rejections too. Grain: one settlement. Inputs: audited, rejections.
SELECT audited.*
FROM audited
WHERE qid IN (SELECT qid FROM rejections);
