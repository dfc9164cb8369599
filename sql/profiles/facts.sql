-- facts: one side of the comparison of what Wikidata said of a shard's candidates, in two releases.
-- Grain:   one property of one candidate (labels and articles: in one language). Key: qid, property, lang.
-- Inputs:  {side}_facts, {other}_facts.
-- `digest` is the same for the same set of values, in any order.
SELECT
    qid, property, coalesce(lang, '') AS lang, any_value(part) AS part,
    CASE WHEN lang IS NULL THEN property ELSE property || ' in ' || lang END AS kind,
    count(*) AS n_values,
    bit_xor(hash(value)) AS digest,
    min(value) AS value,
    min(lat_deg) AS lat_deg, min(lon_deg) AS lon_deg,
    bool_or(property = 'P31' AND label IS NULL) AS has_no_label,
    bool_or(property = 'P17' AND country_code IS NULL) AS has_no_country,
    bool_or(property = 'P625' AND (globe_qid IS NULL OR lat_deg IS NULL OR lon_deg IS NULL)) AS has_no_place,
    bool_and(there.qid IS NOT NULL) AS is_kept
FROM {side}_facts AS facts
LEFT JOIN (SELECT DISTINCT qid FROM {other}_facts) AS there USING (qid)
GROUP BY qid, property, lang
