-- Rows that count other lead texts than there are. Grain: one row of the audited version.
-- Inputs: audited, summaries, parameters (variant_languages: "variant lang").
WITH per_language AS (
    SELECT qid, list(lang) AS langs
    FROM summaries
    WHERE status = 'ok'
    GROUP BY qid
),
languages AS (
    SELECT split_part(pair, ' ', 1) AS variant, list(split_part(pair, ' ', 2)) AS langs
    FROM (SELECT unnest(variant_languages) AS pair FROM parameters)
    GROUP BY ALL
),
counted AS (
    SELECT
        audited.*,
        len(list_intersect(coalesce(per_language.langs, []), languages.langs)) AS n_texts
    FROM audited
    JOIN languages ON languages.variant = audited.variant
    LEFT JOIN per_language ON per_language.qid = audited.qid
)
SELECT counted.*
FROM counted
WHERE n_summaries <> n_texts;
