-- Settlements none of whose classes is in the class list. Grain: one settlement.
-- Inputs: audited, settlement_classes.
SELECT audited.*
FROM audited
WHERE NOT list_has_any(class_qids, (SELECT list(class_qid) FROM settlement_classes));
