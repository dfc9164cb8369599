-- carried_facts: the facts of unchanged items as an earlier release has them, with the labels and codes of today.
-- Grain:   one value of one property of one item, as in `facts`.
-- Inputs:  facts (versions of an earlier release), items (qid), names (qid, what, value: label or code of an item).
-- The English label of a class and the ISO code of a country belong to other items, which may have changed; a country
-- with several codes has a row for each, one without any has one.
WITH own AS (
    SELECT facts.* FROM facts SEMI JOIN items ON facts.qid = items.qid
),
pointing AS (
    SELECT qid, property, value, min(answer_key) AS answer_key
    FROM own
    WHERE property IN ('P31', 'P17')
    GROUP BY qid, property, value
)
SELECT
    qid, property, value, lang, label, country_code, lat_deg, lon_deg, globe_qid, statement, answer_key
FROM own
WHERE property NOT IN ('P31', 'P17')
UNION ALL
SELECT
    pointing.qid, pointing.property, pointing.value, NULL AS lang,
    CASE pointing.property WHEN 'P31' THEN names.value END AS label,
    CASE pointing.property WHEN 'P17' THEN names.value END AS country_code,
    NULL AS lat_deg, NULL AS lon_deg, NULL AS globe_qid, NULL AS statement, pointing.answer_key
FROM pointing
LEFT JOIN names
    ON names.qid = pointing.value
    AND names.what = CASE pointing.property WHEN 'P31' THEN 'label' ELSE 'code' END;
