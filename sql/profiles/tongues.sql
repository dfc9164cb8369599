-- tongues: touched texts of this side that speak another language than they should.
-- Grain:   one article in a foreign language. Key: qid, lang.
-- Inputs:  touched, {side}_summaries, stop_words (word, lang; a word may belong to several languages).
-- Rule:    some other language has at least four more of its words in the first 400 characters, and twice as many.
WITH words AS (
    SELECT qid, lang, unnest(regexp_extract_all(lower(left(text, 400)), '[^\s\d[:punct:]–„“«»]+')) AS word
    FROM {side}_summaries
    SEMI JOIN touched USING (qid, lang)
    WHERE status = 'ok'
),
hits AS (
    SELECT words.qid, words.lang, stop_words.lang AS tongue, count(*) AS n
    FROM words
    JOIN stop_words USING (word)
    GROUP BY ALL
)
SELECT
    qid, lang,
    coalesce(max(n) FILTER (tongue = lang), 0) AS n_own,
    coalesce(max(n) FILTER (tongue <> lang), 0) AS n_other
FROM hits
GROUP BY qid, lang
HAVING n_other >= n_own + 4 AND n_other >= 2 * n_own
