-- Rows that count other pictures than there are. Grain: one row of the audited version.
-- Inputs: audited, images.
WITH pictures AS (
    SELECT qid, count(*) AS n_all, count(*) FILTER (NOT is_svg) AS n_not_svg
    FROM images
    WHERE status = 'ok'
    GROUP BY qid
),
counted AS (
    SELECT
        audited.*,
        coalesce(CASE WHEN starts_with(variant, 'mlm_irle') THEN n_not_svg ELSE n_all END, 0) AS n_pictures
    FROM audited
    LEFT JOIN pictures ON pictures.qid = audited.qid
)
SELECT counted.*
FROM counted
WHERE n_images <> n_pictures;
