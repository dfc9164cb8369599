-- class_labels: the labels of the classes that both lists have, one side.
-- Grain:   one label of one class. Key: class_qid, lang.
-- Inputs:  {side}_settlement_classes, {other}_settlement_classes.
SELECT class_qid, unnest(map_keys(labels)) AS lang, unnest(map_values(labels)) AS label
FROM {side}_settlement_classes
SEMI JOIN {other}_settlement_classes USING (class_qid)
