-- files: which files the settlements name, one side.
-- Grain:   one file of one settlement. Key: qid, file.
-- Inputs:  {side}_settlements; {other}_settlements, for settlements that are gone take their files along.
SELECT
    settlements.qid, settlements.part, settlements.country_code,
    unnest(settlements.images).file AS file,
    unnest(settlements.images).property AS property,
    there.qid IS NOT NULL AS is_kept
FROM {side}_settlements AS settlements
LEFT JOIN {other}_settlements AS there USING (qid)
