-- Settlements without a row for a variant (is_judged false), and rows of what is no settlement.
-- Grain: one settlement in one variant. Inputs: audited, settlements, parameters (variants).
WITH wanted AS (
    SELECT variants.variant, settlements.qid
    FROM settlements
    CROSS JOIN (SELECT unnest(variants) AS variant FROM parameters) AS variants
)
SELECT
    coalesce(wanted.variant, audited.variant) AS variant,
    coalesce(wanted.qid, audited.qid) AS qid,
    audited.qid IS NOT NULL AS is_judged
FROM wanted
FULL JOIN audited ON audited.variant = wanted.variant AND audited.qid = wanted.qid
WHERE wanted.qid IS NULL OR audited.qid IS NULL;
