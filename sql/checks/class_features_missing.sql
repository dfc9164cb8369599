-- English class labels of settlements without a vector. Grain: one label. Inputs: audited, settlements.
SELECT DISTINCT listed.label
FROM (SELECT unnest(class_labels) AS label FROM settlements) AS listed
ANTI JOIN audited ON audited.label = listed.label;
