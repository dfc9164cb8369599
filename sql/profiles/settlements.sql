-- settlements: one side of the comparison of a shard's (or all) settlements in two releases.
-- Grain:   one settlement. Key: qid.
-- Inputs:  {side}_settlements; {other}_settlement_classes, to tell what is gone (or new) with its class; {other}_rejections.
WITH listed AS (
    SELECT qid, bool_or(classes.class_qid IS NOT NULL) AS is_listed
    FROM (SELECT qid, unnest(class_qids) AS class_qid FROM {side}_settlements) AS settlements
    LEFT JOIN {other}_settlement_classes AS classes USING (class_qid)
    GROUP BY qid
),
places AS (
    SELECT lat_deg, lon_deg, count(*) AS n_here
    FROM {side}_settlements
    GROUP BY lat_deg, lon_deg
    HAVING count(*) > 1
),
copies AS (
    SELECT qid, count(*) AS n_copies FROM {side}_settlements GROUP BY qid HAVING count(*) > 1
)
SELECT
    settlements.qid, settlements.part, settlements.label, settlements.lat_deg, settlements.lon_deg,
    settlements.class_qids, settlements.class_labels, settlements.images, settlements.sitelinks,
    settlements.country_code, settlements.country_source, settlements.population,
    settlements.revision, settlements.modified_at,
    coalesce(places.n_here, 1) AS n_here,
    coalesce(copies.n_copies, 1) AS n_copies,
    settlements.lat_deg = round(settlements.lat_deg) AND settlements.lon_deg = round(settlements.lon_deg) AS is_coarse,
    there.reason AS reason_there,
    (SELECT count(*) = 0 FROM {other}_settlement_classes) OR coalesce(listed.is_listed, TRUE) AS is_listed_there
FROM {side}_settlements AS settlements
LEFT JOIN listed USING (qid)
LEFT JOIN copies USING (qid)
LEFT JOIN {other}_rejections AS there USING (qid)
LEFT JOIN places ON places.lat_deg = settlements.lat_deg AND places.lon_deg = settlements.lon_deg
