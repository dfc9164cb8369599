-- instances: the candidates of the reference, and whether any of their classes is in this side's class list.
-- Grain:   one candidate of the reference. Key: qid.
-- Inputs:  old_candidates (both sides ask for the same candidates), {side}_settlement_classes.
SELECT
    qid,
    any_value(class_qids) AS class_qids,
    bool_or(listed.class_qid IS NOT NULL) AS is_instance
FROM (SELECT qid, class_qids, unnest(class_qids) AS class_qid FROM old_candidates) AS candidates
LEFT JOIN {side}_settlement_classes AS listed USING (class_qid)
GROUP BY qid
