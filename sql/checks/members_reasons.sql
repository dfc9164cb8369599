-- Rows that are not in `eligible`, are missing, or have a reason that does not follow from there.
-- Grain: one settlement in one variant. Inputs: audited, eligible.
SELECT
    coalesce(eligible.variant, audited.variant) AS variant,
    coalesce(eligible.qid, audited.qid) AS qid,
    eligible.qid IS NOT NULL AS is_in_eligible,
    audited.qid IS NOT NULL AS is_in_members,
    eligible.reason AS reason_of_eligible,
    audited.reason
FROM eligible
FULL JOIN audited ON audited.variant = eligible.variant AND audited.qid = eligible.qid
WHERE eligible.qid IS NULL
    OR audited.qid IS NULL
    OR CASE
        WHEN eligible.reason IS NOT NULL THEN audited.reason IS DISTINCT FROM eligible.reason
        ELSE coalesce(audited.reason, 'cell_removed') <> 'cell_removed'
            OR audited.reason = 'cell_removed' AND NOT starts_with(audited.variant, 'mlm_irle')
    END;
