-- Departed items that are candidates. Grain: one row of the audited version.
-- Inputs: audited, candidates.
SELECT audited.* FROM audited SEMI JOIN candidates ON candidates.qid = audited.qid;
