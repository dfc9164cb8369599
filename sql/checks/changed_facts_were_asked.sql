-- Facts of items without a note that they were asked for. Grain: one row of the audited version.
-- Inputs: audited.
SELECT *
FROM audited
WHERE shard IS NOT NULL AND qid NOT IN (SELECT qid FROM audited WHERE property = 'asked');
