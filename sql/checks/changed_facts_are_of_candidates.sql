-- Items that were asked for and are no candidates of their shard. Grain: one row of the audited version.
-- Inputs: audited, candidates.
SELECT audited.*
FROM audited
ANTI JOIN candidates ON candidates.qid = audited.qid AND candidates.shard = audited.shard
WHERE audited.shard IS NOT NULL;
