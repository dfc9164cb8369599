-- articles: which articles the settlements have, one side.
-- Grain:   one article of one settlement. Key: qid, lang.
-- Inputs:  {side}_settlements; {other}_settlements, for settlements that are gone take their articles along.
SELECT
    settlements.qid, settlements.part, settlements.country_code, settlements.class_qids,
    unnest(map_keys(settlements.sitelinks)) AS lang,
    unnest(map_values(settlements.sitelinks)) AS title,
    there.qid IS NOT NULL AS is_kept
FROM {side}_settlements AS settlements
LEFT JOIN {other}_settlements AS there USING (qid)
