-- Parents that are no classes of the list. Grain: one edge of P279. Inputs: audited.
SELECT class_qid, hop, parent_qid
FROM (SELECT class_qid, hop, unnest(parent_qids) AS parent_qid FROM audited)
WHERE parent_qid NOT IN (SELECT class_qid FROM audited);
