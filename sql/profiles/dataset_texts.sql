-- dataset_texts: the lead texts of one variant, one side.
-- Grain:   one text. Key: qid, lang.
-- Inputs:  {side}_{table}; {other}_{table}, for settlements that are gone take their texts along.
SELECT rows_of.qid, rows_of.country_code, one.lang AS lang, hash(one.text) AS digest, length(one.text) AS n_characters,
    there.qid IS NOT NULL AS is_kept
FROM (SELECT qid, country_code, unnest(summaries) AS one FROM {side}_{table}) AS rows_of
LEFT JOIN {other}_{table} AS there USING (qid)
