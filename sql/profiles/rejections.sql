-- rejections: what became of each candidate, one side; of settlements as much as is needed.
-- Grain:   one candidate of the shard. Key: qid.
-- Inputs:  {side}_rejections, {side}_settlements.
SELECT qid, part, TRUE AS is_rejected, reason, revision, evidence, NULL AS country_code FROM {side}_rejections
UNION ALL
SELECT qid, part, FALSE AS is_rejected, NULL, revision, NULL, country_code FROM {side}_settlements
