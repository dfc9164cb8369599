-- eligible: for each settlement and variant, the first rule before geo-cells that keeps it out, or none.
-- Grain:   one settlement in one variant. Key: variant, qid.
-- Inputs:  settlements, summaries, images (versions of the manifest); in memory: variants (variant, languages,
--          has_svg, is_eu_only), quotas (country_code, eu_country, wanted: one row per ISO code that counts
--          towards a quota; RE counts towards FR) and queue (qid, quota_rank).
-- Quotas:  the settlements of a country queue by a salted hash of their QID; those beyond the quota stay out.
WITH texts AS (
    SELECT variants.variant, summaries.qid, count(*) AS n
    FROM summaries
    JOIN variants ON list_contains(variants.languages, summaries.lang)
    WHERE summaries.status = 'ok'
    GROUP BY ALL
),
linked AS (
    SELECT variants.variant, settlements.qid
    FROM settlements
    JOIN variants ON list_has_any(map_keys(settlements.sitelinks), variants.languages)
),
pictures AS (
    SELECT
        variants.variant, images.qid,
        count(*) AS n_downloaded,
        count(*) FILTER (variants.has_svg OR NOT images.is_svg) AS n
    FROM images
    CROSS JOIN variants
    WHERE images.status = 'ok'
    GROUP BY ALL
),
judged AS (
    SELECT
        variants.variant, settlements.qid, settlements.lat_deg, settlements.lon_deg, settlements.country_code,
        variants.is_eu_only, quotas.eu_country, quotas.wanted,
        coalesce(texts.n, 0) AS n_summaries,
        coalesce(pictures.n, 0) AS n_images,
        CASE
            WHEN linked.qid IS NULL THEN 'no_article'
            WHEN texts.n IS NULL THEN 'no_summary'
            WHEN pictures.n_downloaded IS NULL THEN 'no_image_downloaded'
            WHEN pictures.n = 0 THEN 'svg_only'
            WHEN variants.is_eu_only AND quotas.wanted IS NULL THEN 'not_in_eu'
        END AS reason
    FROM settlements
    CROSS JOIN variants
    LEFT JOIN linked ON linked.variant = variants.variant AND linked.qid = settlements.qid
    LEFT JOIN texts ON texts.variant = variants.variant AND texts.qid = settlements.qid
    LEFT JOIN pictures ON pictures.variant = variants.variant AND pictures.qid = settlements.qid
    LEFT JOIN quotas ON quotas.country_code = settlements.country_code
),
queued AS (
    SELECT
        judged.*,
        row_number() OVER (
            PARTITION BY judged.variant, judged.eu_country, judged.reason IS NULL
            ORDER BY queue.quota_rank, judged.qid
        ) AS place
    FROM judged
    JOIN queue ON queue.qid = judged.qid
)
SELECT
    queued.variant, queued.qid,
    CASE
        WHEN queued.reason IS NOT NULL THEN queued.reason
        WHEN queued.is_eu_only AND queued.place > queued.wanted THEN 'over_quota'
    END AS reason,
    queued.lat_deg, queued.lon_deg, queued.country_code, queued.n_summaries, queued.n_images
FROM queued;
