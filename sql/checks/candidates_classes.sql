-- Classes of candidates that are not in the class list. Grain: one class of one candidate.
-- Inputs: audited, settlement_classes.
SELECT qid, class_qid
FROM (SELECT qid, unnest(class_qids) AS class_qid FROM audited)
WHERE class_qid NOT IN (SELECT class_qid FROM settlement_classes);
