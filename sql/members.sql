-- members: for each settlement and variant, in or the one reason why not.
-- Grain:   one settlement in one variant. Key: variant, qid.
-- Inputs:  eligible; in memory: located (variant, qid, cell_token, class_id: the kept cell it lies in),
--          splits (qid, split) and variants (variant, needs_cell).
SELECT
    eligible.variant, eligible.qid,
    eligible.reason IS NULL AND (located.cell_token IS NOT NULL OR NOT variants.needs_cell) AS is_member,
    CASE
        WHEN eligible.reason IS NOT NULL THEN eligible.reason
        WHEN variants.needs_cell AND located.cell_token IS NULL THEN 'cell_removed'
    END AS reason,
    located.cell_token, located.class_id, splits.split
FROM eligible
JOIN variants ON variants.variant = eligible.variant
JOIN splits ON splits.qid = eligible.qid
LEFT JOIN located ON located.variant = eligible.variant AND located.qid = eligible.qid;
