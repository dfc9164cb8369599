-- fates: why a settlement is not in a variant any more. The first that is known, in this order: taken back, departed
-- from Wikidata, left out of the variant, rejected as a settlement, not listed any more.
-- Grain:  one settlement of before that is not in after, in one variant. Key: variant, qid.
-- Inputs: entity_before, entity_after, taken_back, departures, members, rejections.
WITH gone AS (
    SELECT variant, qid FROM entity_before
    EXCEPT
    SELECT variant, qid FROM entity_after
)

SELECT
    gone.variant, gone.qid,
    coalesce(
        CASE WHEN taken_back.qid IS NOT NULL THEN 'taken_back' END,
        departures.fate, members.reason, rejections.reason, 'not_listed'
    ) AS fate,
    CASE WHEN taken_back.qid IS NULL THEN departures.target_qid END AS target_qid
FROM gone
LEFT JOIN taken_back ON taken_back.qid = gone.qid
LEFT JOIN departures ON departures.qid = gone.qid
LEFT JOIN members
    ON members.qid = gone.qid AND NOT members.is_member
        -- The widest variant speaks for the release as a whole.
        AND members.variant = CASE gone.variant WHEN '' THEN 'mlm_v2' ELSE gone.variant END
LEFT JOIN rejections ON rejections.qid = gone.qid;
