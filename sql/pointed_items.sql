-- pointed_items: the classes and countries that facts point to, whose labels and codes the facts carry.
-- Grain:   one item. Key: qid. Not stored.
-- Inputs:  facts.
SELECT DISTINCT value AS qid
FROM facts
WHERE property IN ('P31', 'P17')
ORDER BY value;
