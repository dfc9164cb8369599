-- Rows that are no file of a settlement, or stand at another place than in its list. Grain: one row.
-- Inputs: audited, settlements.
SELECT audited.*
FROM audited
LEFT JOIN settlements ON settlements.qid = audited.qid
WHERE settlements.images[audited.image_index + 1].file IS DISTINCT FROM audited.file
    OR settlements.images[audited.image_index + 1].property IS DISTINCT FROM audited.property;
