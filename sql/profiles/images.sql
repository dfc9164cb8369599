-- images: one side of the comparison of pictures in two releases.
-- Grain:   one file of one settlement. Key: qid, file.
-- Inputs:  {side}_images, {side}_settlements (country), {other}_settlements (what is gone with its settlement).
WITH repeated AS (
    -- The same bytes of different files; one file under many settlements is one picture rightly.
    SELECT picture_sha256, count(DISTINCT file_sha1) AS n_files
    FROM {side}_images
    WHERE status = 'ok'
    GROUP BY picture_sha256
    HAVING count(*) > 1
)
SELECT
    images.qid, images.file, images.part, settlements.country_code,
    images.status, images.status = 'ok' AS is_ok,
    images.image_index, images.property, images.file_sha1, images.path, images.picture_sha256, images.mime,
    images.is_svg, images.width_px, images.height_px, images.size_bytes,
    images.licence, images.licence_url, images.author, images.credit,
    coalesce(repeated.n_files, 1) AS n_files,
    (SELECT count(*) = 0 FROM {other}_settlements) OR there.qid IS NOT NULL AS is_kept
FROM {side}_images AS images
LEFT JOIN {side}_settlements AS settlements USING (qid)
LEFT JOIN {other}_settlements AS there USING (qid)
LEFT JOIN repeated USING (picture_sha256)
