-- Items of a shard's table that are no candidates of the shard. Grain: one row of the audited version.
-- Inputs: audited, candidates, parameters (shard).
SELECT audited.*
FROM audited
WHERE qid NOT IN (SELECT qid FROM candidates WHERE shard = (SELECT shard FROM parameters));
