-- settlement_classes: one side (old or new) of the comparison of two class lists.
-- Grain:   one class. Key: class_qid.
-- Inputs:  {side}_settlement_classes.
SELECT class_qid, part, hop, list_sort(parent_qids) AS parent_qids, labels['en'] AS label
FROM {side}_settlement_classes
