-- Classes that are at hop 0 and are not the base class, the base class elsewhere, or missing (hop null).
-- Grain: one class. Inputs: audited, parameters (base_class).
SELECT class_qid, hop
FROM audited
WHERE (hop = 0) <> (class_qid = (SELECT base_class FROM parameters))
UNION ALL
SELECT base_class AS class_qid, NULL AS hop
FROM parameters
WHERE base_class NOT IN (SELECT class_qid FROM audited);
