-- summaries: one side of the comparison of lead texts in two releases.
-- Grain:   one article. Key: qid, lang.
-- Inputs:  {side}_summaries, {side}_settlements (country), {other}_settlements (what is gone with its settlement),
--          touched and {side}_tongues (sql/profiles/touched.sql, tongues.sql; in memory).
WITH repeated AS (
    SELECT text_sha256, count(DISTINCT qid) AS n_places
    FROM {side}_summaries
    WHERE status = 'ok'
    GROUP BY text_sha256
    HAVING count(*) > 1
),
longest AS (
    SELECT lang, max(length(text)) AS n_most FROM {side}_summaries WHERE status = 'ok' GROUP BY lang
)
SELECT
    summaries.qid, summaries.lang, summaries.part, settlements.country_code,
    summaries.status, summaries.status = 'ok' AS is_ok,
    summaries.requested_title, summaries.title, summaries.revision, summaries.is_redirect, summaries.licence,
    summaries.text_sha256,
    length(summaries.text) AS n_characters,
    length(summaries.text) = longest.n_most AS is_longest,
    coalesce(repeated.n_places, 1) AS n_places,
    touched.qid IS NOT NULL AS is_touched,
    CASE WHEN touched.qid IS NOT NULL THEN summaries.text END AS text,
    touched.qid IS NOT NULL AND coalesce(regexp_matches(
        CASE WHEN touched.qid IS NOT NULL THEN summaries.text END,
        '</?[a-zA-Z][^>]*>|&[a-z]+;|&#[0-9]+;|\{\{|\}\}|\[\[|\]\]|''''''|\|\||<!--|\\u[0-9a-f]{4}|\\n'
    ), FALSE) AS has_markup,
    touched.qid IS NOT NULL AND coalesce(regexp_matches(
        CASE WHEN touched.qid IS NOT NULL THEN summaries.text END,
        '\x{FFFD}|Ã[\x{80}-\x{BF}]|Å[\x{80}-\x{BF}\x{2018}-\x{203A}]|â\x{20AC}|Â[\x{A0}-\x{BF}]|\?\?\?'
    ), FALSE) AS is_garbled,
    tongues.qid IS NOT NULL AS is_foreign,
    (SELECT count(*) = 0 FROM {other}_settlements) OR there.qid IS NOT NULL AS is_kept
FROM {side}_summaries AS summaries
LEFT JOIN longest ON longest.lang = summaries.lang
LEFT JOIN {side}_settlements AS settlements ON settlements.qid = summaries.qid
LEFT JOIN {other}_settlements AS there ON there.qid = summaries.qid
LEFT JOIN touched ON touched.qid = summaries.qid AND touched.lang = summaries.lang
LEFT JOIN {side}_tongues AS tongues ON tongues.qid = summaries.qid AND tongues.lang = summaries.lang
LEFT JOIN repeated ON repeated.text_sha256 = summaries.text_sha256
