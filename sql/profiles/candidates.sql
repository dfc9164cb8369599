-- candidates: one side of the comparison of two lists of candidates.
-- Grain:   one candidate. Key: qid.
-- Inputs:  {side}_candidates; {other}_settlement_classes, to tell what is gone (or new) with its class.
WITH listed AS (
    SELECT qid, bool_or(classes.class_qid IS NOT NULL) AS is_listed
    FROM (SELECT qid, unnest(class_qids) AS class_qid FROM {side}_candidates) AS candidates
    LEFT JOIN {other}_settlement_classes AS classes USING (class_qid)
    GROUP BY qid
)
SELECT
    candidates.qid, candidates.shard, candidates.class_qids, candidates.revision,
    (SELECT count(*) = 0 FROM {other}_settlement_classes) OR coalesce(listed.is_listed, TRUE) AS is_listed_there
FROM {side}_candidates AS candidates
LEFT JOIN listed USING (qid)
