-- Settlements that change their split. Grain: one settlement in one variant.
-- Inputs: audited, before (the version that readers see).
SELECT audited.variant, audited.qid, audited.split, before.split AS split_before
FROM audited
JOIN before ON before.variant = audited.variant AND before.qid = audited.qid
WHERE before.split <> audited.split;
