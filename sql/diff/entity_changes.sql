-- entity_changes: what became of each settlement: new, gone, changed (anything of its row but its revision), or same.
-- Grain:  one settlement in one variant, on either side. Key: variant, qid.
-- Inputs: entity_before, entity_after, text_changes, image_changes, fates. $moved_km: a place further away has moved.
WITH texts AS (
    SELECT
        variant, qid, count(*) FILTER (WHERE change = 'new') AS n_texts_new,
        count(*) FILTER (WHERE change = 'changed') AS n_texts_changed,
        count(*) FILTER (WHERE change = 'gone') AS n_texts_gone
    FROM text_changes
    GROUP BY variant, qid
),

pictures AS (
    SELECT
        variant, qid, count(*) FILTER (WHERE change IN ('new', 'published')) AS n_images_new,
        count(*) FILTER (WHERE change IN ('replaced', 'redrawn', 'renamed', 'renumbered')) AS n_images_changed,
        count(*) FILTER (WHERE change IN ('gone', 'withheld')) AS n_images_gone
    FROM image_changes
    GROUP BY variant, qid
),

paired AS (
    SELECT
        coalesce(now.variant, past.variant) AS variant, coalesce(now.qid, past.qid) AS qid,
        CASE WHEN past.qid IS NULL THEN 'new' WHEN now.qid IS NULL THEN 'gone' ELSE 'kept' END AS side,
        past.label AS label_before, now.label AS label_after,
        past.lat_deg AS lat_before_deg, past.lon_deg AS lon_before_deg,
        now.lat_deg AS lat_after_deg, now.lon_deg AS lon_after_deg,
        -- Great circle on the sphere, by the haversine formula.
        2 * 6371.0088 * asin(sqrt(least(1.0, greatest(0.0,
            sin(radians(now.lat_deg - past.lat_deg) / 2) ** 2
            + cos(radians(past.lat_deg)) * cos(radians(now.lat_deg)) * sin(radians(now.lon_deg - past.lon_deg) / 2) ** 2
        )))) AS distance_km,
        past.class_qids AS class_qids_before, now.class_qids AS class_qids_after,
        past.country_code AS country_before, now.country_code AS country_after,
        past.population AS population_before, now.population AS population_after,
        past.cell_token AS cell_before, now.cell_token AS cell_after,
        past.split AS split_before, now.split AS split_after,
        past.revision AS revision_before, now.revision AS revision_after,
        past.label IS DISTINCT FROM now.label AS has_other_label,
        past.lat_deg IS DISTINCT FROM now.lat_deg OR past.lon_deg IS DISTINCT FROM now.lon_deg AS has_other_place,
        past.class_qids IS DISTINCT FROM now.class_qids AS has_other_classes,
        past.country_code IS DISTINCT FROM now.country_code AS has_other_country,
        past.population IS DISTINCT FROM now.population AS has_other_population,
        past.cell_token IS DISTINCT FROM now.cell_token AS has_other_cell,
        past.split IS DISTINCT FROM now.split AS has_other_split
    FROM entity_before AS past
    FULL JOIN entity_after AS now ON now.variant = past.variant AND now.qid = past.qid
)

SELECT
    paired.variant, paired.qid,
    CASE
        WHEN side <> 'kept' THEN side
        WHEN
            has_other_label OR has_other_place OR has_other_classes OR has_other_country OR has_other_population
            OR has_other_cell OR has_other_split
            OR coalesce(n_texts_new + n_texts_changed + n_texts_gone, 0) > 0
            OR coalesce(n_images_new + n_images_changed + n_images_gone, 0) > 0
            THEN 'changed'
        ELSE 'same'
    END AS change,
    fates.fate, fates.target_qid,
    label_before, label_after, lat_before_deg, lon_before_deg, lat_after_deg, lon_after_deg,
    CASE WHEN side = 'kept' THEN distance_km END AS distance_km,
    class_qids_before, class_qids_after, country_before, country_after, population_before, population_after,
    cell_before, cell_after, split_before, split_after, revision_before, revision_after,
    side = 'kept' AND has_other_label AS is_renamed,
    side = 'kept' AND distance_km > $moved_km AS is_moved,
    side = 'kept' AND has_other_place AND distance_km <= $moved_km AS is_nudged,
    side = 'kept' AND has_other_classes AS is_reclassed,
    side = 'kept' AND has_other_country AS has_other_country,
    side = 'kept' AND has_other_population AS has_other_population,
    side = 'kept' AND has_other_cell AS has_other_cell,
    side = 'kept' AND has_other_split AS has_other_split,
    coalesce(n_texts_new, 0) AS n_texts_new, coalesce(n_texts_changed, 0) AS n_texts_changed,
    coalesce(n_texts_gone, 0) AS n_texts_gone, coalesce(n_images_new, 0) AS n_images_new,
    coalesce(n_images_changed, 0) AS n_images_changed, coalesce(n_images_gone, 0) AS n_images_gone
FROM paired
LEFT JOIN fates ON fates.variant = paired.variant AND fates.qid = paired.qid
LEFT JOIN texts ON texts.variant = paired.variant AND texts.qid = paired.qid
LEFT JOIN pictures ON pictures.variant = paired.variant AND pictures.qid = paired.qid;
