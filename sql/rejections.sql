-- rejections: candidates that fail a rule; the first one, in the order of sql/verdicts.sql, is the reason.
-- Grain:   one rejected candidate of the shard. Key: qid.
-- Inputs:  verdicts (sql/verdicts.sql, in memory).
SELECT qid, failed[1] AS reason, failed, evidence, revision
FROM verdicts
WHERE len(failed) > 0;
