-- dataset: the frozen rows of one variant (tables mlm, mlm_v2, mlm_irle, mlm_irle_gr).
-- Grain:   one settlement that is a member of the variant. Key: qid.
-- Inputs:  members, settlements, summaries, images (versions of the manifest).
-- Binds:   $variant, $languages (in order), $has_svg.
WITH chosen AS (
    SELECT qid, cell_token, class_id, split
    FROM members
    WHERE variant = $variant AND is_member
),
texts AS (
    SELECT
        qid,
        list(struct_pack(lang, title, text, revision, licence) ORDER BY list_position($languages, lang)) AS summaries
    FROM summaries
    WHERE status = 'ok' AND list_contains($languages, lang)
    GROUP BY qid
),
pictures AS (
    SELECT
        qid,
        list(
            struct_pack(
                name := qid || '_' || image_index || '.jpg',
                file, file_sha1, path, property, licence, licence_url, author, credit
            )
            ORDER BY image_index
        ) AS images
    FROM images
    WHERE status = 'ok' AND ($has_svg OR NOT is_svg)
    GROUP BY qid
)
SELECT
    chosen.qid, settlements.label, settlements.lat_deg, settlements.lon_deg,
    settlements.class_qids, settlements.class_labels, texts.summaries, pictures.images,
    settlements.country_code, settlements.country_source, settlements.population,
    chosen.cell_token, chosen.class_id, chosen.split, settlements.revision
FROM chosen
JOIN settlements USING (qid)
JOIN texts USING (qid)
JOIN pictures USING (qid);
